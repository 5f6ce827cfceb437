"""`ctx.state`: a dict whose writes apply when the handler ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyflink_durable.payload.results import dump_result, load_result
from pyflink_durable.runtime.operator.user_state import MemoryState, UserState


class CountingState(MemoryState):
    """What the last invocation left, and how often it was read."""

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.values = {name: dump_result(value) for name, value in values.items()}
        self.gets: list[str] = []

    def get(self, name: str) -> bytes | None:
        self.gets.append(name)
        return super().get(name)


def state_of(backend: MemoryState) -> UserState:
    return UserState(backend, lambda: None)


def apply(backend: MemoryState, writes: dict[str, bytes | None]) -> None:
    for name, payload in writes.items():
        if payload is None:
            del backend.values[name]
        else:
            backend.values[name] = payload


def test_a_value_is_read_once_and_only_when_asked_for() -> None:
    backend = CountingState(n=[1], other=2)
    state = state_of(backend)
    assert backend.gets == []
    assert state["n"] is state["n"]
    assert backend.gets == ["n"]
    assert state.take_writes() == {}


def test_writes_are_seen_by_the_writer_and_by_nobody_else_until_the_end() -> None:
    backend = CountingState(n=1)
    state = state_of(backend)
    state["n"] = 2
    state["new"] = "x"
    assert dict(state) == {"n": 2, "new": "x"}
    assert dict(state_of(backend)) == {"n": 1}
    apply(backend, state.take_writes())
    assert dict(state_of(backend)) == {"n": 2, "new": "x"}


def test_a_removed_name_is_gone_at_once_and_removed_at_the_end() -> None:
    backend = CountingState(n=1, kept=2)
    state = state_of(backend)
    del state["n"]
    assert "n" not in state
    assert list(state) == ["kept"]
    with pytest.raises(KeyError, match="n"):
        del state["n"]
    assert state.take_writes() == {"n": None}
    state["n"] = 3
    assert dict(state) == {"kept": 2, "n": 3}


def test_a_missing_name() -> None:
    state = state_of(MemoryState())
    with pytest.raises(KeyError, match="missing"):
        state["missing"]
    assert state.get("missing", 7) == 7
    assert state.setdefault("missing", 8) == 8
    assert len(state) == 1


def test_a_change_in_place_is_written_only_when_assigned() -> None:
    backend = CountingState(items=[1])
    state = state_of(backend)
    state["items"].append(2)
    assert state.take_writes() == {}
    state["items"] = state["items"]
    written = state.take_writes()["items"]
    assert written is not None
    assert load_result(written) == [1, 2]


def test_a_value_changed_after_its_assignment_is_written_as_it_was() -> None:
    state = state_of(MemoryState())
    items = [1]
    state["items"] = items
    items.append(2)
    written = state.take_writes()["items"]
    assert written is not None
    assert load_result(written) == [1]


def test_a_value_read_back_is_what_a_later_invocation_reads() -> None:
    state = state_of(MemoryState())
    items = [1]
    state["items"] = items
    items.append(2)
    assert state["items"] == [1]
    state.setdefault("new", []).append(3)
    assert state["new"] == []
    error = ValueError("refused")
    error.__cause__ = ConnectionError("reset")
    state["error"] = error
    kept = state.take_writes()["error"]
    assert kept is not None
    for seen in (state["error"], load_result(kept)):
        assert isinstance(seen.__cause__, ConnectionError)


@pytest.mark.parametrize("name", [1, None, b"n", ("n",)])
def test_names_are_strings(name: Any) -> None:
    with pytest.raises(TypeError, match=rf"names of type str, not {type(name).__name__}"):
        state_of(MemoryState())[name] = 1


class Unreadable:
    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def test_a_value_that_cannot_be_kept_is_named() -> None:
    state = state_of(MemoryState())
    with pytest.raises(TypeError, match=r"ctx\.state\['lock'\].*_thread\.lock"):
        state["lock"] = threading.Lock()
    with pytest.raises(TypeError, match=r"ctx\.state\['n'\].*Unreadable: it cannot be read back"):
        state["n"] = Unreadable()
    assert dict(state) == {}
    assert state.take_writes() == {}


class Ended(Exception):
    pass


def test_after_the_end_everything_is_refused() -> None:
    def check() -> None:
        raise Ended

    state = UserState(CountingState(n=1), check)
    for late in (
        lambda: state["n"],
        lambda: state.__setitem__("n", 1),
        lambda: state.__delitem__("n"),
        lambda: list(state),
        lambda: len(state),
        lambda: "n" in state,
    ):
        with pytest.raises(Ended):
            late()


NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.tuples(st.just("set"), NAMES, st.integers())
    | st.tuples(st.sampled_from(["pop", "get"]), NAMES, st.none())
    | st.tuples(st.sampled_from(["clear", "end"]), st.none(), st.none())
)


@given(STEPS)
def test_it_is_a_dict_over_any_number_of_invocations(steps: list[tuple[str, Any, Any]]) -> None:
    backend, model = MemoryState(), dict[str, Any]()
    state = state_of(backend)
    for step, name, value in steps:
        if step == "set":
            state[name] = model[name] = value
        elif step == "pop":
            assert state.pop(name, None) == model.pop(name, None)
        elif step == "get":
            assert state.get(name) == model.get(name)
        elif step == "clear":
            state.clear()
            model.clear()
        else:
            for changed, payload in state.take_writes().items():
                if payload is None:
                    backend.values.pop(changed, None)
                else:
                    backend.values[changed] = payload
            state = state_of(backend)
        assert dict(state) == model
        assert list(state) == sorted(model)
