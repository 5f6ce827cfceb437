"""A function that a model may ask for."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import update_wrapper
from types import MethodType
from typing import Any, Protocol, overload

import cloudpickle

from pyflink_durable.call_options import CallOptions
from pyflink_durable.checks.arguments import check_seconds, is_coroutine_function
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.options import Durability, InDoubt
from pyflink_durable.retry import RetryPolicy
from pyflink_durable.tools.context import ToolContext
from pyflink_durable.tools.schema import FunctionSchema
from pyflink_durable.tools.signature import is_method

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ToolReconciler(Protocol):
    """Finds out how a tool call in doubt ended, by what the tool was asked."""

    def __call__(self, arguments: dict[str, Any], tool_call_id: str, /) -> Any:
        """Returns what the tool would have returned, or `NOT_EXECUTED`."""


@dataclass(frozen=True, slots=True)
class ToolCallRules:
    """How the calls of one tool are made; the options of a durable call.

    Attributes:
        reconciler: Asked about a call in doubt. A function or a coroutine function.
        retry: When a failed attempt is made again.
        timeout: Seconds that an attempt may take.
        durability: The level of these calls; at least that of the operator.
        in_doubt: What happens to a call in doubt if there is no reconciler.
    """

    reconciler: ToolReconciler | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None
    durability: Durability | None = None
    in_doubt: InDoubt | None = None

    def __post_init__(self) -> None:
        if self.reconciler is not None and not callable(self.reconciler):
            raise TypeError("reconciler must be callable, with (arguments, tool_call_id)")
        check_seconds("timeout", self.timeout)


class Tool:
    """A typed function with a JSON schema of what it takes; made by `tool`.

    Calling it calls the function, as if it were no tool. As a method it is bound to its object
    where it is taken from it, and so is its reconciler if that is a method, too.

    Attributes:
        func: The function.
        name: Its name among the tools of a registry.
        description: What models are told that it does.
        schema: What it takes.
        rules: How its calls are made.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        rules: ToolCallRules | None = None,
        schema: FunctionSchema | None = None,
    ) -> None:
        if not callable(func):
            raise TypeError(f"a tool is made of a function, not of {type(func).__name__}")
        self.func = func
        self.name = _checked_name(name or str(getattr(func, "__name__", type(func).__name__)))
        self.schema = schema or FunctionSchema.of(func, self.name)
        self.description = description or self.schema.description
        self.rules = rules or ToolCallRules()
        self._owner: Any = None
        self._attribute = self.name
        update_wrapper(self, func, updated=())

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    def __get__(self, instance: Any, owner: type | None = None) -> Tool:
        if instance is None:
            return self
        rules = self.rules
        if rules.reconciler is not None and is_method(rules.reconciler):
            rules = replace(rules, reconciler=MethodType(rules.reconciler, instance))
        bound = _restore(
            MethodType(self.func, instance), self.name, self.description, rules, self.schema
        )
        bound._owner, bound._attribute = instance, self._attribute
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return is_coroutine_function(self.func)

    def openai_schema(self) -> dict[str, Any]:
        """The tool as chat APIs of OpenAI's form take it in ``tools=``."""
        function: dict[str, Any] = {"name": self.name, "parameters": self.schema.parameters}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": function}

    def run(self, arguments: Mapping[str, Any], context: ToolContext | None) -> Any:
        """Calls the function with validated arguments.

        Args:
            arguments: What `schema.validate` gave.
            context: For the parameter that takes it, if there is one.
        """
        return self.schema.call(self.func, arguments, context)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    def __reduce__(self) -> Any:
        """By its name where it can be imported, as a function would be; else by its parts."""
        if self._owner is not None:
            return getattr, (self._owner, self._attribute)
        module = sys.modules.get(self.func.__module__)
        name = getattr(self.func, "__qualname__", "")
        if getattr(module, name, None) is self and not _goes_by_value(self.func.__module__):
            return name
        return _restore, (self.func, self.name, self.description, self.rules, self.schema)


@overload
def tool(func: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    reconciler: ToolReconciler | None = None,
    retry: RetryPolicy | None = None,
    timeout: float | None = None,
    durability: Durability | None = None,
    in_doubt: InDoubt | None = None,
    options: CallOptions | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    func: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    options: CallOptions | None = None,
    **rules: Any,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Makes a tool of a typed function: ``@tool`` or ``@tool(timeout=10)``.

    The schema that models see is made from the types and defaults of the parameters; descriptions
    come from the docstring (Google, reST or numpydoc style) or from ``Annotated[str, "..."]``. A
    parameter of type `RunnerContext` is given the context, and models do not see it.

    Args:
        func: A function or a coroutine function; also a method, which is a tool when it is taken
            from an object: ``self.search``.
        name: In place of the function's name.
        description: In place of the docstring's.
        options: What of the rules is not given beside it.
        **rules: How its calls are made, see `ToolCallRules`.

    Raises:
        ConfigurationError: No schema can be made; the message says of which parameter, and why.
    """
    if options is not None:
        rules = _rules_of(options) | rules
    checked = ToolCallRules(**rules)

    def decorate(func: Callable[..., Any]) -> Tool:
        return Tool(func, name=name, description=description, rules=checked)

    return decorate if func is None else decorate(func)


def _rules_of(options: CallOptions) -> dict[str, Any]:
    if options.reconciler is not None or options.durable_id is not None:
        raise ConfigurationError(
            "the options of a tool have neither reconciler nor durable_id: its identity is the id "
            "of the tool call, and its reconciler takes what the tool was asked. Give that one by "
            "itself: @tool(reconciler=..., options=...)"
        )
    given = {
        name: getattr(options, name) for name in ("retry", "timeout", "durability", "in_doubt")
    }
    return {name: value for name, value in given.items() if value is not None}


def _restore(
    func: Any, name: str, description: str, rules: ToolCallRules, schema: FunctionSchema
) -> Tool:
    return Tool(func, name=name, description=description, rules=rules, schema=schema)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a tool: models take 1 to 64 letters, digits, _ and -. "
            'Give it one: @tool(name="...")'
        )
    return name


def _goes_by_value(module: str) -> bool:
    """Whether cloudpickle writes what this module defines as code, not as a name."""
    parts = module.split(".")
    parents = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return module == "__main__" or bool(parents & cloudpickle.list_registry_pickle_by_value())
