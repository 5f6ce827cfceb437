"""What goes with what: Flink, Java and Python."""

from __future__ import annotations

import re

Version = tuple[int, int]

FLINK = ((1, 20), (2, 3))
"""The oldest and the newest Flink that this release is tested with."""

PYTHON = ((3, 10), (3, 12))
"""The oldest and the newest Python."""

FIRST_PYTHON_312: Version = (2, 1)
"""The first Flink whose Python package supports Python 3.12."""

_JAVA = {1: (11, 17), 2: (11, 17, 21)}


def version_of(text: str) -> Version:
    """Major and minor number of a version as text; zeros if there are none."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def java_versions(flink: Version) -> tuple[int, ...]:
    """The Javas that a Flink supports, from 11 on: the jar's own lowest."""
    return _JAVA.get(flink[0], _JAVA[2])


def as_text(version: Version) -> str:
    """As people write it."""
    return f"{version[0]}.{version[1]}"


def is_within(version: Version, supported: tuple[Version, Version]) -> bool:
    """Whether a version is between the oldest and the newest."""
    return supported[0] <= version <= supported[1]


def as_range(supported: tuple[Version, Version]) -> str:
    """The oldest and the newest, as people write them."""
    return f"{as_text(supported[0])} to {as_text(supported[1])}"
