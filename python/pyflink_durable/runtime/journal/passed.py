"""An outcome on its way from a function to the journal and to the handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyflink_durable.payload.seals import Offloaded
from pyflink_durable.runtime.execution.outcome import FunctionOutcome


class Passed(NamedTuple):
    """An outcome for the handler, and what is journaled of it: a result, or an exception."""

    outcome: FunctionOutcome
    result: bytes | None
    exception: bytes | None

    @property
    def upload(self) -> Callable[[], None] | None:
        """What is to be done before it is journaled."""
        for payload in (self.result, self.exception):
            if isinstance(payload, Offloaded):
                return payload.upload
        return None

    def stored(self) -> Passed:
        """Without the object, which is in the store."""
        written = [None if one is None else bytes(one) for one in (self.result, self.exception)]
        return Passed(self.outcome, *written)
