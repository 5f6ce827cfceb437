"""Stand-ins for the functions of calls, without patching."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.testing.crashes import fits, name_of

_NOTHING: Any = object()


class CallNotAllowed(AssertionError):
    """A handler called something that `Durable.allow_only` does not name."""


class Stub:
    """Stands in for the function of a call; made by `Durable.stub`.

    Attributes:
        name: The call: its function's name, or its durable_id.
        latency: Virtual seconds that it takes.
        calls: What it was called with: pairs of arguments and keyword arguments.
    """

    def __init__(
        self,
        target: Any,
        returns: Any = None,
        raises: BaseException | type[BaseException] | None = None,
        side_effect: Callable[..., Any] | Iterable[Any] | None = None,
        latency: float = 0.0,
    ) -> None:
        if sum(one is not None for one in (returns, raises, side_effect)) > 1:
            raise ValueError("a stub has one of returns=, raises= and side_effect=")
        if latency < 0:
            raise ValueError(f"latency is a number of seconds from 0, not {latency!r}")
        self.name = name_of(target)
        self.latency = latency
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._returns = returns
        self._raises = raises
        self._side_effect = side_effect if callable(side_effect) else None
        self._answers = None if side_effect is None or callable(side_effect) else iter(side_effect)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answers as it was told; of several answers with the next one."""
        self.calls.append((args, kwargs))
        if self._raises is not None:
            raise self._raises
        if self._side_effect is not None:
            return self._side_effect(*args, **kwargs)
        if self._answers is None:
            return self._returns
        answer = next(self._answers, _NOTHING)
        if answer is _NOTHING:
            raise AssertionError(
                f"the stub of {self.name} was called {len(self.calls)} times and has no answer "
                "left: give side_effect= one for each call"
            )
        if isinstance(answer, BaseException) or (
            isinstance(answer, type) and issubclass(answer, BaseException)
        ):
            raise answer
        return answer


class Stubs:
    """The stubs of a test, and what else its handlers may call."""

    def __init__(self) -> None:
        self._stubs: list[Stub] = []
        self._allowed: list[str] | None = None

    def add(self, stub: Stub) -> Stub:
        """Takes a stub; of two for one call the later one counts."""
        self._stubs.insert(0, stub)
        return stub

    def allow_only(self, targets: Iterable[Any]) -> None:
        """Refuses all calls but these, and those that have stubs."""
        self._allowed = [*(self._allowed or ()), *map(name_of, targets)]

    def find(self, name: str, func: Callable[..., Any]) -> Stub | None:
        """The stub of a call, None if it has none.

        Args:
            name: Its function id or durable_id.
            func: Its function.

        Raises:
            CallNotAllowed: Nothing allows it.
        """
        if not self._stubs and self._allowed is None:
            return None
        # an inherited method goes by its object's class, and a test names the one that it is of
        names = (name, compute_function_id(func), name_of(func))
        for stub in self._stubs:
            if any(fits(stub.name, one) for one in names):
                return stub
        allowed = self._allowed
        if allowed is not None and not any(fits(a, one) for a in allowed for one in names):
            raise CallNotAllowed(
                f"the handler called {name}, and only {allowed} are allowed: stub it with "
                "durable.stub(...), or name it in durable.allow_only(...)"
            )
        return None
