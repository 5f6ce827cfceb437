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
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.identity.canonical import Encoder
from pyflink_durable.identity.canonical_leaves import SKIPPED, class_name, literal
from pyflink_durable.identity.canonical_pieces import has_large, pieces_of_call

_Path = dict[int, int]
_TOO_DEEP = "an argument of a durable call is nested too deep; pass flatter data"
_REBINDING = frozenset({"STORE_DEREF", "DELETE_DEREF"})


def compute_function_id(func: Callable[..., object]) -> str:
    """Names a callable: ``module.qualname``, with a digest of what is bound to it, if anything.

    Bound methods are named after the class of their instance and end in a digest of the instance,
    if it has a canonical form (a dataclass, an enum, a pydantic model, ...). Closures end in a
    digest of what they captured, functions made in functions also of their defaults, partials in
    one of their arguments. What a captured variable is called does not count.

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
        name = func.__qualname__
        if (func.__defaults__ is None and func.__kwdefaults__ is None) or "<" not in name:
            return f"{func.__module__}.{name}"
    return RULE.function_id(func)


def compute_args_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Digests the arguments of a call: equal values of equal types give equal digests.

    Args:
        args: The positional arguments.
        kwargs: The keyword arguments, in any order.

    Returns:
        The version of the rule that made the digest, a colon and 16 hexadecimal digits.

    Raises:
        ArgumentNotEncodable: An argument cannot be pickled, or contains itself.
    """
    text = None if kwargs or has_large(args) else literal(args, args)  # the fast path
    return RULE.args_digest(args, kwargs) if text is None else RULE.prefix + digest_of(text)


class IdentityRule:
    """What identity is made of, in version 2.

    Attributes:
        prefix: What its digests of arguments begin with.
        encoder: Writes values.
    """

    prefix: ClassVar[str] = "2:"
    encoder: ClassVar[type[Encoder]] = Encoder

    def function_id(self, func: Callable[..., object]) -> str:
        """See `compute_function_id`."""
        return self._name_callable(func, {})

    def args_digest(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """See `compute_args_digest`."""
        if has_large(args) or (kwargs and has_large(kwargs.values())):
            return self.prefix + self._digest_of_pieces(args, kwargs)
        return self.prefix + digest_of(self.text(args, kwargs))

    def _digest_of_pieces(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The same digest, in one pass: the text of 10 MB is as large again."""
        encoder = self.encoder(self._name_callable, fallback=True, mutable=True)
        digest = blake2b(digest_size=8)
        try:
            for piece in pieces_of_call(encoder, args, kwargs):
                digest.update(piece.encode("ascii"))
        except RecursionError:
            raise ArgumentNotEncodable(_TOO_DEEP) from None
        return digest.hexdigest()

    def text(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Writes arguments in ASCII; raises as `compute_args_digest` does."""
        text = None if kwargs else self.encoder.literal(args, args)
        if text is None:
            encoder = self.encoder(self._name_callable, fallback=True, mutable=True)
            try:
                text = encoder.call(args, kwargs)
            except RecursionError:
                raise ArgumentNotEncodable(_TOO_DEEP) from None
        return text

    # ---------------------------------------------------------------- callables

    def _name_callable(self, func: Any, path: _Path) -> str:
        if issubclass(type(func), type):  # Not isinstance: list[int] claims to be a class.
            return class_name(func)
        if isinstance(func, types.FunctionType):
            return class_name(func) + self._captured(func, path)
        if isinstance(func, types.MethodType):
            return self._name_method(func, path)
        if isinstance(func, partial):
            return self._name_partial(func, path)
        if isinstance(func, (types.BuiltinFunctionType, types.MethodWrapperType)):
            return self._name_builtin(func, path)
        if isinstance(getattr(func, "__qualname__", None), str):
            owner = getattr(func, "__objclass__", func)  # Methods of builtin types have no module.
            return f"{owner.__module__}.{func.__qualname__}"
        return f"{class_name(type(func))}.__call__{self._bound(func, path)}"

    def _name_method(self, method: types.MethodType, path: _Path) -> str:
        owner, func = method.__self__, method.__func__
        is_class = issubclass(type(owner), type)
        kind = owner if is_class else type(owner)
        name = getattr(func, "__name__", type(func).__name__)
        found = getattr(kind, name, None)
        text = f"{class_name(kind)}.{name}"
        if getattr(found, "__func__", found) is not func:
            # Reached through super(), patched in, or wrapped: the name alone says too little.
            text += f"[{self._name_callable(func, path)}]"
        return text if is_class else text + self._bound(owner, path)

    def _name_partial(self, func: partial[Any], path: _Path) -> str:
        encoder = self.encoder(self._name_callable, fallback=False, mutable=True, path=path)
        bound = digest_of(encoder.call(func.args, func.keywords))
        return f"{self._name_callable(func.func, path)}#{bound}"

    def _name_builtin(self, func: Any, path: _Path) -> str:
        owner = func.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return class_name(func)
        if issubclass(type(owner), type):
            return f"{class_name(owner)}.{func.__name__}"
        return f"{class_name(type(owner))}.{func.__name__}{self._bound(owner, path)}"

    def _bound(self, instance: object, path: _Path) -> str:
        text = self._stable_text(instance, path)
        return "" if text == SKIPPED else f"#{digest_of(text)}"

    def _captured(self, func: types.FunctionType, path: _Path) -> str:
        """Digests what a function holds beside its code, in the order in which the code uses it."""
        path = {**path, id(func): len(path)}  # A recursive inner function captures itself.
        texts = [text for _, text in self._captured_texts(func, path)]
        if "<" in func.__qualname__:  # made in a function: its defaults may be the maker's values
            defaults = (*(func.__defaults__ or ()), *sorted((func.__kwdefaults__ or {}).items()))
            texts += [self._stable_text(default, path) for default in defaults]
        if set(texts) <= {SKIPPED}:
            return ""
        return "#" + digest_of(", ".join(texts))

    def _captured_texts(self, func: types.FunctionType, path: _Path) -> list[tuple[str, str]]:
        """The captured variables and their values; those that it rebinds are left out."""
        variables = _variables_of(func.__code__)
        cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
        return [
            (name, SKIPPED if name in variables.rebound else self._cell_text(cells[name], path))
            for name in variables.in_order
        ]

    def _cell_text(self, cell: types.CellType, path: _Path) -> str:
        try:
            return self._stable_text(cell.cell_contents, path)
        except ValueError:  # Not assigned yet.
            return SKIPPED

    def _stable_text(self, value: object, path: _Path) -> str:
        """Writes what is known not to change between a run and its replay."""
        encoder = self.encoder(self._name_callable, fallback=False, mutable=False, path=path)
        try:
            return encoder.encode(value)
        except Exception:  # From a property or a time zone of the user's: no reason to fail.
            return SKIPPED


RULE = IdentityRule()


def digest_of(text: str) -> str:
    """16 hexadecimal digits."""
    return blake2b(text.encode("ascii"), digest_size=8).hexdigest()


class _Variables(NamedTuple):
    """Captured variables of a function, or of one inside it."""

    in_order: tuple[str, ...]
    rebound: frozenset[str]


# Keyed weakly by code objects, which all closures made from one function share: no job's data, and
# gone with the job's code.
_variables: WeakKeyDictionary[types.CodeType, _Variables] = WeakKeyDictionary()


def _variables_of(code: types.CodeType) -> _Variables:
    """The captured variables in the order in which the code first uses them."""
    found = _variables.get(code)
    if found is None:
        in_order: dict[str, None] = {}
        rebound: set[str] = set()
        for instruction in dis.get_instructions(code):
            used: Any = instruction.argval
            if isinstance(used, types.CodeType):
                inner = _variables_of(used)
                in_order.update(dict.fromkeys(inner.in_order))
                rebound |= inner.rebound
            elif instruction.opname.endswith("DEREF"):
                in_order[used] = None
                rebound |= {used} if instruction.opname in _REBINDING else set()
        in_order.update(dict.fromkeys(code.co_freevars))
        own = tuple(name for name in in_order if name in code.co_freevars)
        found = _variables[code] = _Variables(own, frozenset(rebound))
    return found
