"""Names what keeps a handler from being pickled into the job.

Pickle says only of which type the object is that it failed at. Which variable of which function
holds it is found by trying the parts, after the failure: a good job pays nothing.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    WrapperDescriptorType,
)
from typing import Any, NamedTuple

import cloudpickle

from pyflink_durable.errors import ConfigurationError

_OF_THE_PROGRAM = (
    "pyflink.datastream.stream_execution_environment",
    "pyflink.datastream.data_stream",
    "pyflink.table",
    "py4j",
)
"""Where the types are that describe the job to Flink, and mean nothing inside of it."""

_CODE = (FunctionType, MethodType, type, partial)
"""What leads to the variable that the user is to move; inside of that are its own parts only."""

_NOT_WRITTEN = {"__dict__", "__weakref__", "_abc_impl", "__annotations__"}
"""What cloudpickle leaves out of a class."""


class _Part(NamedTuple):
    value: Any
    place: str
    """Where it is in what it is a part of."""
    name: str = ""
    """That of a variable; empty where there is none, such as for an element of a list."""


def refuse_unpicklable(whole: Any, parts: Mapping[str, Any], error: Exception) -> None:
    """Says which part of a handler cannot be pickled; does nothing if there is none.

    Args:
        whole: The object that could not be pickled.
        parts: What the user has given for it, each with a phrase that names it.
        error: What pickling it raised.

    Raises:
        ConfigurationError: With the path to what cannot be pickled, and the remedy.
    """
    if _failure(whole) is None:
        return  # something else went wrong
    for phrase, part in parts.items():
        failure = _failure(part)
        if failure is None:
            continue
        path = _path_to_culprit(part, {id(part)})
        raise ConfigurationError(
            f"{phrase} cannot be pickled, so the job cannot send it to the TaskManagers: "
            f"{_as_text(path, part)}: {path[-1].failure if path else failure}. {_remedy(path)}"
        ) from error


class _Step(NamedTuple):
    part: _Part
    failure: str


def _path_to_culprit(whole: Any, seen: set[int]) -> list[_Step]:
    """The first of the parts that fail, of that the first, and so on."""
    for part in _parts(whole):
        if id(part.value) in seen:
            continue
        seen.add(id(part.value))
        failure = _failure(part.value)
        if failure is not None:
            return [_Step(part, failure), *_path_to_culprit(part.value, seen)]
    return []


def _failure(value: Any) -> str | None:
    try:
        cloudpickle.dumps(value)
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def _as_text(path: list[_Step], whole: Any) -> str:
    kind = type(path[-1].part.value if path else whole)
    return " > ".join([*(step.part.place for step in path), f"a {kind.__module__}.{kind.__name__}"])


def _remedy(path: list[_Step]) -> str:
    for step in path:
        if type(step.part.value).__module__.startswith(_OF_THE_PROGRAM):
            return (
                f"{step.part.name or 'It'} belongs to the program that builds the job: take from "
                "it what the handler needs, and give the handler that"
            )
    code = [number for number, step in enumerate(path, 1) if isinstance(step.part.value, _CODE)]
    of_the_user = path[code[-1] :] if code else path
    name = next((step.part.name for step in of_the_user if step.part.name), "it")
    return (
        f"Create {name} in open() of a DurableProcessFunction, where each "
        "task makes its own; or, if it may outlive tasks, at module level of a module that is "
        "imported"
    )


# -------------------------------------------------------------------- the parts of an object


def _parts(value: Any) -> Iterator[_Part]:
    if isinstance(value, FunctionType):
        yield from _of_function(value)
    elif isinstance(value, MethodType):
        owner = type(value.__self__).__qualname__
        yield _Part(value.__self__, f"the {owner} of its method {value.__name__}")
        yield _Part(value.__func__, f"method {value.__name__}")
    elif isinstance(value, type):
        yield from _of_class(value)
    elif isinstance(value, partial):
        yield _Part(value.func, f"function {_name_of(value.func)} of a partial")
        for position, one in enumerate(value.args):
            place = f"argument {position} of the partial"
            yield _Part(one, place, place)
        for name, one in value.keywords.items():
            yield _Part(one, f"argument {name} of the partial", name)
    elif isinstance(value, dict):
        yield from _of_dict(value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for position, one in enumerate(value):
            yield _Part(one, f"element {position}")
    else:
        yield from _of_object(value)


def _of_function(function: FunctionType) -> Iterator[_Part]:
    name = function.__qualname__
    for variable, cell in zip(
        function.__code__.co_freevars, function.__closure__ or (), strict=True
    ):
        if _has_content(cell):
            place = f"closure variable {variable} of function {name}"
            yield _Part(cell.cell_contents, place, variable)
    for variable in _globals_of(function.__code__):
        if variable in function.__globals__:
            place = f"global {variable} of function {name}"
            yield _Part(function.__globals__[variable], place, variable)
    yield from _of_defaults(function)
    for attribute, one in vars(function).items():
        place = f"attribute {attribute} of function {name}"
        yield _Part(one, place, f"{name}.{attribute}")
    for argument, one in function.__annotations__.items():
        yield _Part(one, f"annotation of {argument} of function {name}")


def _of_defaults(function: FunctionType) -> Iterator[_Part]:
    code, defaults = function.__code__, function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    with_default = positional[len(positional) - len(defaults) :]
    by_name = dict(zip(with_default, defaults, strict=True)) | (function.__kwdefaults__ or {})
    for argument, one in by_name.items():
        place = f"default of argument {argument} of function {function.__qualname__}"
        yield _Part(one, place, argument)


def _has_content(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # assigned later, or never
        return False


def _globals_of(code: CodeType) -> list[str]:
    """The globals of a function and of those inside it, in the order of their use."""
    found = [one.argval for one in dis.get_instructions(code) if one.opname.endswith("_GLOBAL")]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _globals_of(constant)
    return list(dict.fromkeys(found))


def _of_class(kind: type) -> Iterator[_Part]:
    for base in kind.__bases__:
        yield _Part(base, f"base class {base.__qualname__}")
    for name, member in vars(kind).items():
        if name in _NOT_WRITTEN or isinstance(
            member, (MemberDescriptorType, GetSetDescriptorType, WrapperDescriptorType)
        ):
            continue
        for one in _functions_of(member):
            if isinstance(one, FunctionType):
                yield _Part(one, f"method {one.__qualname__}")
            else:
                place = f"attribute {name} of class {kind.__qualname__}"
                yield _Part(one, place, f"{kind.__qualname__}.{name}")


def _functions_of(member: Any) -> tuple[Any, ...]:
    if isinstance(member, (staticmethod, classmethod)):
        return (member.__func__,)
    if isinstance(member, property):
        return (member.fget, member.fset, member.fdel)
    return (member,)


def _of_dict(items: Mapping[Any, Any]) -> Iterator[_Part]:
    for key, one in items.items():
        yield _Part(key, f"key {_shown(key)}")
        yield _Part(one, f"item {_shown(key)}")


def _of_object(value: Any) -> Iterator[_Part]:
    """What pickle would write of it; nothing, if it is the object itself that refuses."""
    kind = type(value)
    yield _Part(kind, f"class {kind.__qualname__}")
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:
        return
    if isinstance(reduced, str):
        return
    _make, arguments, state, elements, items = (*reduced, None, None, None)[:5]
    for part in (state if isinstance(state, tuple) else (state,)) if state is not None else ():
        if isinstance(part, dict):
            yield from _of_attributes(kind, part)
        else:
            yield _Part(part, f"state of the {kind.__qualname__}")
    for position, one in enumerate(arguments or ()):
        yield _Part(one, f"argument {position} of which {kind.__qualname__} is made again")
    for position, one in enumerate(elements or ()):
        yield _Part(one, f"element {position}")
    yield from _of_dict(dict(items or ()))


def _of_attributes(kind: type, attributes: Mapping[Any, Any]) -> Iterator[_Part]:
    for name, one in attributes.items():
        place = f"attribute {_shown(name)} of the {kind.__qualname__}"
        yield _Part(one, place, f"{kind.__qualname__}.{name}")


def _shown(key: Any) -> str:
    return key if isinstance(key, str) and key.isidentifier() else f"{key!r:.40}"


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
