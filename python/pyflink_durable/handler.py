"""The two forms of a handler, its versions, and what is checked of them when the graph is built."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.errors import ConfigurationError

if TYPE_CHECKING:
    from pyflink.datastream import RuntimeContext

    from pyflink_durable.context import RunnerContext

HandlerFunction = Callable[[Any, "RunnerContext"], Any]


class DurableProcessFunction(ABC):
    """A handler with a life around it: clients opened once per subtask, for example.

    `process` may be ``async def`` or ``def``. The instance is pickled into the job; what `open`
    creates never leaves the TaskManager.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called once per attempt of a subtask, before the first `process`.

        Args:
            runtime_context: Tells of the task (subtask, parallelism, attempt, name, job parameters
                and, by ``get_job_id()``, the job) and gives the metric group. It gives no state:
                that is in `RunnerContext.state`, by key.
        """

    @abstractmethod
    def process(self, value: Any, ctx: RunnerContext) -> Any:
        """Handles one input.

        Args:
            value: The input element.
            ctx: Durable calls, outputs and state of the element's key.

        Returns:
            A value to emit, or None.
        """

    def close(self) -> None:
        """Called once per attempt, when every handler has ended or was given up.

        Also when `open` has raised, as Flink does: what it had not made by then is not there.
        """


Handler = HandlerFunction | DurableProcessFunction


def process_function_of(handler: Handler) -> HandlerFunction:
    """The function that handles an input, in either form."""
    return handler.process if isinstance(handler, DurableProcessFunction) else handler


def handles_asynchronously(handler: Handler) -> bool:
    """Whether the handler runs on the event loop (``async def``) or on a thread (``def``)."""
    return is_coroutine_function(process_function_of(handler))


def check_handler(handler: Any) -> None:
    """Checks that a handler can be run.

    Raises:
        ConfigurationError: It is not a handler; the message says what to write instead.
    """
    if inspect.isclass(handler) and issubclass(handler, DurableProcessFunction):
        raise ConfigurationError(
            f"pass an instance: durable_process(..., {handler.__name__}()), not the class"
        )
    if not isinstance(handler, DurableProcessFunction) and not callable(handler):
        raise ConfigurationError(
            "a handler is a function (value, ctx), `async def` or `def`, or a "
            f"DurableProcessFunction, not {type(handler).__name__}"
        )
    function = process_function_of(handler)
    name = getattr(function, "__qualname__", repr(function))
    if _is_generator(function) or _is_generator(getattr(function, "__call__", None)):  # noqa: B004
        raise ConfigurationError(
            f"handler {name} is a generator (it contains `yield`): emit values with "
            "ctx.collect(value), and return the last one"
        )
    try:
        inspect.signature(function).bind(object(), object())
    except TypeError as error:
        raise ConfigurationError(
            f"handler {name} must take exactly two arguments, (value, ctx): {error}"
        ) from None
    except ValueError:
        return  # a builtin that tells no signature gets the benefit of the doubt


class HandlerVersions(NamedTuple):
    """The handlers of an operator.

    Attributes:
        handler: By which new inputs are handled.
        version: Its version; None for a job that names none.
        previous: By earlier versions the handlers of what these have accepted.
    """

    handler: Handler
    version: str | None
    previous: Mapping[str | None, Handler]


def check_versions(handler: Any, version: Any, previous: Any) -> HandlerVersions:
    """Checks a handler, and the versions that a job names.

    Raises:
        ConfigurationError: One is not a version, or its handler cannot be run.
    """
    check_handler(handler)
    previous = {} if previous is None else previous
    if not isinstance(previous, Mapping):
        raise ConfigurationError(
            "previous= takes the handlers of earlier versions by their version, "
            f'{{"1": handle_v1}}, not {previous!r}'
        )
    for one in (version, *previous):
        wrong_text = isinstance(one, str) and not (one.isprintable() and 0 < len(one) <= 100)
        if wrong_text or not isinstance(one, (str, type(None))):
            raise ConfigurationError(
                "a version is a str of 1 to 100 printable characters, or None for the release that "
                f"named none, not {one!r}"
            )
    if version in previous:
        raise ConfigurationError(
            f"previous= has the handler of version {version!r}, which is the current one: new "
            "inputs go to the handler itself, and so does what is in flight of its version"
        )
    for earlier in previous.values():
        check_handler(earlier)
    return HandlerVersions(handler, version, previous)


def _is_generator(function: Any) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
