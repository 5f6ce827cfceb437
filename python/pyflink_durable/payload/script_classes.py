"""Classes of the job's script, by their names.

cloudpickle writes such a class as code, under an id that is new each time the job is submitted.
What a journal holds of it would be of another class then: ``result is Status.PAID`` would be false,
and ``except Refused`` would not catch. So a journal holds its name, and the class is the handler's.
"""

from __future__ import annotations

import pickle
import sys
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from typing import Any

import cloudpickle

from pyflink_durable.errors import DurableExecutionError

_Name = tuple[str, str]
"""A module, and the qualified name of a class in it."""

_MAKERS = frozenset({"_make_skeleton_class", "_make_skeleton_enum", "_class_setstate"})


class ScriptClasses:
    """The classes that come with a handler, and that no module has to be imported for.

    The names are those of the script: in the task a class is without the name of the one it is in.

    Args:
        found: By name, all classes that were found under it.
    """

    _names: dict[int, _Name] | None = None  # made where it is asked for: ids do not travel

    def __init__(self, found: dict[_Name, list[type]] | None = None) -> None:
        self._by_name = {name: kinds[0] for name, kinds in (found or {}).items() if not kinds[1:]}

    @classmethod
    def of(cls, handler: object) -> ScriptClasses:
        """Finds the classes that cloudpickle writes as code, with a handler or what it uses."""
        collector = _Collector()
        try:
            collector.dump(handler)
        except Exception:  # is told where the handler is really pickled
            return cls()
        return cls(collector.found)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def reduce(self, kind: type) -> Any:
        """Has a class written as a name; what is not known here, as pickle would have it."""
        name = self._name_of(kind)
        return NotImplemented if name is None else (named_class, name)

    def _name_of(self, kind: type) -> _Name | None:
        if self._names is None:
            self._names = {id(known): name for name, known in self._by_name.items()}
        return self._names.get(id(kind))

    def __getstate__(self) -> dict[str, Any]:
        return {"_by_name": self._by_name}

    def check(self, kind: type) -> None:
        """Refuses to write a class as code that would be another one in the next submission.

        Raises:
            pickle.PicklingError: It is one of the script's, and the handler does not lead to it.
        """
        if kind.__module__ == "__main__" or kind.__module__ not in sys.modules:
            raise pickle.PicklingError(
                f"class {kind.__qualname__} of the job's script would be another one when the job "
                "is submitted again, as the handler does not name it, or names two of that name: "
                "move it into a module that is imported"
            )

    def loads(self, payload: bytes) -> Any:
        """Reads a pickle, with the classes known here in place of others of their names."""
        return ScriptUnpickler(BytesIO(payload), self).load()

    def get(self, module: str, qualname: str) -> type | None:
        """The class of a name, None if there is none."""
        return self._by_name.get((module, qualname))

    def like(self, constructor: type, name: str) -> type | None:
        """The only class of a metaclass and a bare name, None if there is none."""
        kinds = self._by_name.values()
        found = [kind for kind in kinds if kind.__name__ == name and type(kind) is constructor]
        return found[0] if len(found) == 1 else None

    def has(self, kind: type) -> bool:
        """Whether a class is one of these."""
        return self._name_of(kind) is not None


def is_importable(value: Any) -> bool:
    """Whether pickle can write a function or class as a name, in every process alike."""
    module = getattr(value, "__module__", None)
    found: Any = None if module == "__main__" else sys.modules.get(module or "")
    for part in getattr(value, "__qualname__", "").split("."):
        found = getattr(found, part, None)
    return found is value


def named_class(module: str, qualname: str) -> Any:
    """Finds a class where there is no handler to know it; named in journals."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise DurableExecutionError(
            f"class {qualname} of {module}, which a journal names, is not known here: it was one "
            "of the job's script. Keep it there, or read the journal where the script runs"
        )
    return found


class _Collector(cloudpickle.Pickler):  # type: ignore[misc]
    """Notes the classes that are written as code."""

    def __init__(self) -> None:
        super().__init__(BytesIO())
        self.found: dict[_Name, list[type]] = defaultdict(list)

    def reducer_override(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        written = isinstance(value, type) and isinstance(reduced, tuple)
        if written and value.__module__ != "builtins":  # the type of None is written as code, too
            kinds = self.found[value.__module__, value.__qualname__]
            kinds += [] if any(value is one for one in kinds) else [value]
        return reduced


class ScriptUnpickler(pickle.Unpickler):
    """Finds the classes that are known, also where they were written as code.

    So did release 0.1, and so does PyFlink, of whose inputs some are in flight.
    """

    def __init__(self, file: BytesIO, classes: ScriptClasses) -> None:
        super().__init__(file)
        self._classes = classes

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name == "named_class":
            return self._named
        if module.startswith("cloudpickle") and name in _MAKERS:
            return getattr(self, name)(super().find_class(module, name))
        if name == "loads" and module in ("pickle", "_pickle"):
            return self._classes.loads
        return super().find_class(module, name)

    def _named(self, module: str, qualname: str) -> Any:
        return self._classes.get(module, qualname) or named_class(module, qualname)

    # ---------------------------------------------------------------- what cloudpickle writes

    def _make_skeleton_enum(self, make: Callable[..., type]) -> Callable[..., type]:
        def find(
            bases: Any, name: str, qualname: str, members: Any, module: str, *more: Any
        ) -> Any:
            found = self._classes.get(module, qualname)
            return found or make(bases, name, qualname, members, module, *more)

        return find

    def _make_skeleton_class(self, make: Callable[..., type]) -> Callable[..., type]:
        def find(constructor: Any, name: str, *more: Any) -> Any:
            return self._classes.like(constructor, name) or make(constructor, name, *more)

        return find

    def _class_setstate(self, fill: Callable[..., Any]) -> Callable[..., Any]:
        def keep(kind: Any, state: Any) -> Any:
            if not self._classes.has(kind):
                return fill(kind, state)
            module = state[0].get("__module__", kind.__module__)
            if module != kind.__module__:
                raise pickle.UnpicklingError(
                    f"class {kind.__name__} of {module} was written as code, and the handler has "
                    f"another one of {kind.__module__}: give one of them another name"
                )
            return kind

        return keep
