"""Print one line of counts from Surefire's reports: `mvn -q` prints none."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

KINDS = ("tests", "failures", "errors", "skipped")

counts = dict.fromkeys(KINDS, 0)
seconds = 0.0
classes = 0
for report in Path(__file__).parent.glob("*/target/surefire-reports/TEST-*.xml"):
    suite = ElementTree.parse(report).getroot()
    for kind in KINDS:
        counts[kind] += int(suite.get(kind, "0"))
    seconds += float(suite.get("time", "0").replace(",", ""))
    classes += 1

bad = counts["failures"] + counts["errors"]
passed = counts["tests"] - bad - counts["skipped"]
print(
    f"Java tests: {passed} passed, {bad} failed, {counts['skipped']} skipped "
    f"in {classes} classes, {seconds:.1f} s"
)
sys.exit(bad > 0)
