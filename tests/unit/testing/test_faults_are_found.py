"""Of twenty faults that are planted in a handler all are found; see `faulty_handlers`."""

from __future__ import annotations

import pytest
from faulty_handlers import FAULTS, ORDER, Correct

from pyflink_durable.testing import Case, crash_points


def explore(kind: type[Correct]) -> None:
    outside = kind()

    @crash_points(outside.handle, [ORDER], levels=["gated"], always_replay=True)
    def check(case: Case) -> None:
        Correct.__init__(outside)
        run = case.run()
        assert outside.sound(run.outputs), case

    check()


def test_the_handler_without_a_fault_passes() -> None:
    explore(Correct)


@pytest.mark.filterwarnings("ignore:the durable call .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_found(kind: type[Correct]) -> None:
    with pytest.raises(Exception) as found:
        explore(kind)
    print(f"{kind.__name__}: {type(found.value).__name__}: {found.value}")


def test_there_are_twenty() -> None:
    assert len(set(FAULTS)) == 20
