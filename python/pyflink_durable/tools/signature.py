"""Reads from a function what a tool needs to know of it: its parameters, their types, its words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from docstring_parser import parse

from pyflink_durable.context import RunnerContext
from pyflink_durable.errors import ConfigurationError


class Documentation(NamedTuple):
    """What a docstring says of a function and of each of its parameters."""

    description: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, func: Callable[..., Any]) -> Documentation:
        """Reads a docstring in Google, reST or numpydoc style."""
        parsed = parse(inspect.getdoc(func) or "")
        parts = [parsed.short_description, parsed.long_description]
        parameters = {one.arg_name: one.description or "" for one in parsed.params}
        return cls("\n\n".join(part for part in parts if part), parameters)


def is_method(func: Any) -> bool:
    """Whether a function waits for the object that it is a method of."""
    return inspect.isfunction(func) and func.__code__.co_varnames[:1] == ("self",)


def resolved_signature(func: Callable[..., Any], name: str) -> inspect.Signature:
    """The signature of a function, with types in place of their names and without ``self``.

    Args:
        func: The function.
        name: What to call it in errors.

    Raises:
        ConfigurationError: A parameter has no type or no name, or its type cannot be found.
    """
    typed = func if inspect.isroutine(func) or inspect.isclass(func) else type(func).__call__
    try:
        types = get_type_hints(typed, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"tool {name} has a type that cannot be found: {error}. Define or import it at the "
            "top of the module, not in a function or under TYPE_CHECKING. If it is there and this "
            "is a script's method, mark the method itself with @tool: types are found where that "
            "stands"
        ) from error
    signature = inspect.signature(func)
    parameters = []
    for place, (one, parameter) in enumerate(signature.parameters.items()):
        if place == 0 and is_method(func):
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigurationError(
                f"tool {name} takes {parameter}: a model needs to know each argument by its name"
            )
        if one not in types:
            raise ConfigurationError(
                f"parameter {one!r} of tool {name} has no type: write `{one}: str`, for example"
            )
        parameters.append(parameter.replace(annotation=types[one]))
    return inspect.Signature(parameters)


def context_parameter(signature: inspect.Signature, name: str) -> str | None:
    """The parameter of type `RunnerContext`, if there is one.

    Raises:
        ConfigurationError: There are two.
    """
    found = [one for one, parameter in signature.parameters.items() if _is_context(parameter)]
    if len(found) > 1:
        raise ConfigurationError(f"tool {name} takes the context twice: {found}")
    return found[0] if found else None


def _is_context(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    # Not isclass: list[int] claims to be a class.
    return issubclass(type(annotation), type) and issubclass(annotation, RunnerContext)
