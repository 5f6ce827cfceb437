"""Lets dataclasses of a script reach the cluster whole.

cloudpickle writes the classes of `__main__` as code, and with them copies of the markers by which
the `dataclasses` module knows a field and a missing default. The module compares by identity, so
such a class arrives with no fields: values that differ get one digest, and their JSON is empty.
"""

from __future__ import annotations

import copyreg
import dataclasses
from typing import Any


def write_markers_by_name() -> None:
    """Makes pickle and cloudpickle write the markers as names, so that they stay themselves."""
    copyreg.pickle(type(dataclasses.MISSING), lambda marker: "MISSING")
    copyreg.pickle(type(dataclasses._FIELD), _name_of)  # type: ignore[attr-defined]


def _name_of(marker: Any) -> str:
    return str(marker.name)
