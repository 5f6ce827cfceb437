"""Options of the tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# how long an example takes on a busy machine says nothing
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full-matrix", action="store_true", help="all jobs of the level matrix")
    group = parser.getgroup("replays", "replays of what handlers did in a test")
    group.addoption("--keep-journals", metavar="DIR", help="keep the journals of all handlers")
    group.addoption(
        "--replay-journals",
        metavar="DIR",
        help="run the handlers over the journals that another process has kept, too",
    )
