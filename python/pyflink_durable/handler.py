"""The two forms of a handler, and what is checked of them when the graph is built."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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


def _is_generator(function: Any) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
