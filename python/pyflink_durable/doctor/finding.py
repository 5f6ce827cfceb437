"""What a check has found."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is; the worst of all findings is the exit code."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at, in a word or two.
        severity: How bad it is.
        message: What was found.
        remedy: What to do; empty if nothing.
    """

    check: str
    severity: Severity
    message: str
    remedy: str = ""


def ok(check: str, message: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Severity.OK, message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """It may fail."""
    return Finding(check, Severity.WARNING, message, remedy)


def error(check: str, message: str, remedy: str) -> Finding:
    """It will fail."""
    return Finding(check, Severity.ERROR, message, remedy)


def worst(findings: Iterable[Finding], accepted: Container[str] = ()) -> Severity:
    """How bad it is altogether, without warnings of checks that are accepted."""
    counted = (
        finding.severity
        for finding in findings
        if finding.severity is not Severity.WARNING or finding.check not in accepted
    )
    return max(counted, default=Severity.OK)
