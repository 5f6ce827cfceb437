"""The alert rules of the documentation are of metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

DOCS = Path(__file__).parents[2] / "docs"
_METRIC = re.compile(r"flink_taskmanager_job_task_operator_(durable_\w+)")


def test_the_rules_are_of_metrics_that_there_are() -> None:
    page = (DOCS / "observability.md").read_text(encoding="utf-8")
    tables = page + (DOCS / "operations.md").read_text(encoding="utf-8")
    known = {
        name.replace(".NAME", "").replace(".", "_")
        for name in re.findall(r"^\| `(durable\.[\w.]+)` \|", tables, re.MULTILINE)
    }
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (group,) = YAML(typ="safe").load(text)["groups"]

    for rule in group["rules"]:
        names = _METRIC.findall(rule["expr"])
        assert names
        assert known.issuperset(names), rule["alert"]
        assert rule["annotations"]["summary"]
