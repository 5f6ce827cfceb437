"""The identity of a durable call: which function, with which arguments.

A call found in the journal is recognised by it, in another process, perhaps weeks later. So both
parts are made from values alone: never from object identity, the order of a dict or a set, or
``PYTHONHASHSEED``.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from pyflink_durable.canonical import SKIPPED, Encoder, class_name
from pyflink_durable.canonical_leaves import literal
from pyflink_durable.errors import ArgumentNotEncodable

_Path = dict[int, int]
_REBINDING = frozenset({"STORE_DEREF", "DELETE_DEREF"})

# Keyed weakly by code objects, which all closures made from one function share: no job's data, and
# gone with the job's code.
_rebound_names: WeakKeyDictionary[types.CodeType, frozenset[str]] = WeakKeyDictionary()


def compute_function_id(func: Callable[..., object]) -> str:
    """Names a callable: ``module.qualname``, with a digest of what is bound to it, if anything.

    Bound methods are named after the class of their instance and end in a digest of the instance,
    if it has a canonical form (a dataclass, an enum, a pydantic model, ...). Closures end in a
    digest of what they captured, partials in one of their arguments.

    A suffix that changes between a run and its replay would make the replay miss. So those of
    methods and closures leave out objects of unknown types, mutable containers, and variables that
    the closure itself rebinds. An instance whose plain fields change should not be a dataclass, or
    declare those fields with ``compare=False``.

    Args:
        func: A function, method, class, ``functools.partial`` or callable object.

    Returns:
        The function id.
    """
    if type(func) is types.FunctionType and func.__closure__ is None:
        return f"{func.__module__}.{func.__qualname__}"
    return _name_callable(func, {})


def compute_args_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Digests the arguments of a call: equal values of equal types give equal digests.

    Args:
        args: The positional arguments.
        kwargs: The keyword arguments, in any order.

    Returns:
        16 hexadecimal digits.

    Raises:
        ArgumentNotEncodable: An argument cannot be pickled, or contains itself.
    """
    return _digest(canonical_text(args, kwargs))


def canonical_text(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Writes arguments in ASCII; raises as `compute_args_digest` does."""
    text = None if kwargs else literal(args, args)
    if text is None:
        try:
            text = Encoder(_name_callable, fallback=True, mutable=True).call(args, kwargs)
        except RecursionError:
            raise ArgumentNotEncodable(
                "an argument of a durable call is nested too deep; pass flatter data"
            ) from None
    return text


def _digest(text: str) -> str:
    return blake2b(text.encode("ascii"), digest_size=8).hexdigest()


def _name_callable(func: Any, path: _Path) -> str:
    if issubclass(type(func), type):  # Not isinstance: list[int] claims to be a class.
        return class_name(func)
    if isinstance(func, types.FunctionType):
        return class_name(func) + _captured(func, path)
    if isinstance(func, types.MethodType):
        return _name_method(func, path)
    if isinstance(func, partial):
        return _name_partial(func, path)
    if isinstance(func, (types.BuiltinFunctionType, types.MethodWrapperType)):
        return _name_builtin(func, path)
    if isinstance(getattr(func, "__qualname__", None), str):
        owner = getattr(func, "__objclass__", func)  # Methods of builtin types have no module.
        return f"{owner.__module__}.{func.__qualname__}"
    return f"{class_name(type(func))}.__call__{_bound(func, path)}"


def _name_method(method: types.MethodType, path: _Path) -> str:
    owner, func = method.__self__, method.__func__
    is_class = issubclass(type(owner), type)
    kind = owner if is_class else type(owner)
    name = getattr(func, "__name__", type(func).__name__)
    found = getattr(kind, name, None)
    text = f"{class_name(kind)}.{name}"
    if getattr(found, "__func__", found) is not func:
        # Reached through super(), patched in, or wrapped: the name alone says too little.
        text += f"[{_name_callable(func, path)}]"
    return text if is_class else text + _bound(owner, path)


def _name_partial(func: partial[Any], path: _Path) -> str:
    encoder = Encoder(_name_callable, fallback=False, mutable=True, path=path)
    return f"{_name_callable(func.func, path)}#{_digest(encoder.call(func.args, func.keywords))}"


def _name_builtin(func: Any, path: _Path) -> str:
    owner = func.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return class_name(func)
    if issubclass(type(owner), type):
        return f"{class_name(owner)}.{func.__name__}"
    return f"{class_name(type(owner))}.{func.__name__}{_bound(owner, path)}"


def _bound(instance: object, path: _Path) -> str:
    text = _stable_text(instance, path)
    return "" if text == SKIPPED else f"#{_digest(text)}"


def _captured(func: types.FunctionType, path: _Path) -> str:
    if not func.__closure__:
        return ""
    names = func.__code__.co_freevars
    rebound = _names_rebound_by(func.__code__)
    path = {**path, id(func): len(path)}  # A recursive inner function captures itself.
    texts = [
        SKIPPED if name in rebound else _cell_text(cell, path)
        for name, cell in zip(names, func.__closure__, strict=True)
    ]
    if set(texts) == {SKIPPED}:
        return ""
    return "#" + _digest(
        ", ".join(f"{name!a} {text}" for name, text in zip(names, texts, strict=True))
    )


def _cell_text(cell: types.CellType, path: _Path) -> str:
    try:
        return _stable_text(cell.cell_contents, path)
    except ValueError:  # Not assigned yet.
        return SKIPPED


def _stable_text(value: object, path: _Path) -> str:
    """Writes what is known not to change between a run and its replay."""
    try:
        return Encoder(_name_callable, fallback=False, mutable=False, path=path).encode(value)
    except Exception:  # From a property or a time zone of the user's: never a reason to fail.
        return SKIPPED


def _names_rebound_by(code: types.CodeType) -> frozenset[str]:
    """Returns the captured variables a function, or one inside it, assigns to."""
    names = _rebound_names.get(code)
    if names is None:
        found = {i.argval for i in dis.get_instructions(code) if i.opname in _REBINDING}
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                found |= _names_rebound_by(constant)
        names = _rebound_names[code] = frozenset(found)
    return names
