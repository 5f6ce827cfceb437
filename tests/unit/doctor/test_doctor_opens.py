"""The JVM takes ``--add-opens`` with an equals sign or with a space behind it."""

from __future__ import annotations

import pytest

from pyflink_durable.doctor.finding import Severity
from pyflink_durable.doctor.settings import _OPENED, check_opens


@pytest.mark.parametrize("between", ["=", " ", "  "])
def test_either_way_of_writing_it_is_seen(between: str) -> None:
    opens = [f"--add-opens{between}java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    assert check_opens(" ".join(opens)).severity is Severity.OK
    missing = check_opens(" ".join(opens[1:]))
    assert (missing.severity, missing.message) == (
        Severity.ERROR,
        f"the JVM does not open {_OPENED[0]}",
    )
