"""The command ``pyflink-durable``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pyflink_durable.commands import check_upgrade
from pyflink_durable.commands.inspect import inspect
from pyflink_durable.commands.offload import offload
from pyflink_durable.commands.replay import replay
from pyflink_durable.commands.shows import demo, proof
from pyflink_durable.commands.watch import watch
from pyflink_durable.doctor.calllog import check_log_directory, check_log_kafka
from pyflink_durable.doctor.client import check_client
from pyflink_durable.doctor.cluster import check_cluster
from pyflink_durable.doctor.finding import Finding, Severity, worst
from pyflink_durable.doctor.home import check_home

_COLORS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pyflink-durable")
def main() -> None:
    """Durable execution for PyFlink."""


main.add_command(check_upgrade.command)
main.add_command(inspect)
main.add_command(offload)
main.add_command(replay)
main.add_command(demo)
main.add_command(proof)
main.add_command(watch)


@main.command()
@click.option("--flink-home", type=click.Path(path_type=Path), help="A Flink home to look at.")
@click.option("--address", help="A running cluster to look at: host:port of its REST API.")
@click.option("--log-directory", type=click.Path(path_type=Path), help="Of a write-ahead log.")
@click.option("--log-kafka", help="Brokers of a write-ahead log: host:port,host:port.")
@click.option("--accept", multiple=True, metavar="CHECK", help="A check that may warn; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(
    flink_home: Path | None,
    address: str | None,
    log_directory: Path | None,
    log_kafka: str | None,
    accept: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look for what would make a durable job fail, here and in a cluster.

    The exit code is 0 if all is well, 1 if there are warnings, 2 if there are errors. Warnings of
    a check that is given with --accept do not count: two slots, or a directory that every machine
    mounts, may be what you want.
    """
    findings = list(check_client())
    if flink_home is not None:
        findings += check_home(flink_home)
    if address is not None:
        findings += check_cluster(address)
    if log_directory is not None:
        findings.append(check_log_directory(log_directory))
    if log_kafka is not None:
        findings += check_log_kafka(log_kafka)
    unknown = sorted(set(accept) - {finding.check for finding in findings})
    if unknown:
        raise click.BadParameter(f"there is no check {', '.join(map(repr, unknown))} in this run")
    if as_json:
        print(json.dumps([_plain(finding) for finding in findings], indent=2))
    else:
        Console().print(_table(findings))
    sys.exit(worst(findings, accept))


def _plain(finding: Finding) -> dict[str, object]:
    return asdict(finding) | {"severity": finding.severity.name.lower()}


def _table(findings: list[Finding]) -> Table:
    table = Table.grid(padding=(0, 2))
    for column in ("severity", "check"):
        table.add_column(column, no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        severity = finding.severity
        remedy = f"\n[dim]{escape(finding.remedy)}" if finding.remedy else ""
        table.add_row(
            f"[{_COLORS[severity]}]{severity.name.lower()}",
            finding.check,
            escape(finding.message) + remedy,
        )
    return table
