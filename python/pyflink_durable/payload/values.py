"""The two ways in which values and exceptions become bytes: pickle, and a serializer of data."""

from __future__ import annotations

from typing import Any, Protocol

from pyflink_durable.payload.error_forms import ErrorForms
from pyflink_durable.payload.journaled_errors import type_name
from pyflink_durable.payload.picklers import as_code, dumps, loads
from pyflink_durable.payload.results import NotSerializable, pass_value
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.serializer import Serializer

FORM = dict[str, Any]
"""The type of an exception's form, for serializers."""


class Values(Protocol):
    """Writes and reads values; what it passes is what is read back.

    Attributes:
        name: That of the serializer.
        typed: Whether it wants to know the declared types.
    """

    name: str
    typed: bool

    def pass_value(self, value: Any, kind: Any) -> tuple[Any, bytes]:
        """Writes a value, and gives it as it will be read back.

        Raises:
            NotSerializable: It cannot be written and read back.
        """

    def load(self, data: bytes, kind: Any) -> Any:
        """Reads a value; raises whatever has gone wrong."""

    def pass_error(self, error: Exception) -> tuple[Any, bytes]:
        """As `pass_value`, for an exception, for which there is always a way."""

    def load_error(self, data: bytes) -> Any:
        """Reads an exception; raises whatever has gone wrong."""

    def open(self, data: bytes) -> bytes:
        """The data as somebody can read it who does not know the job's script."""


class PickledValues:
    """By pickle and cloudpickle.

    Args:
        classes: Those of the job's script; None where the job is not submitted again.
    """

    name = "pickle"
    typed = False

    def __init__(self, classes: ScriptClasses | None) -> None:
        self._classes = classes

    def pass_value(self, value: Any, kind: Any) -> tuple[Any, bytes]:
        return pass_value(value, self._classes)

    def load(self, data: bytes, kind: Any) -> Any:
        return loads(data, self._classes)

    def pass_error(self, error: Exception) -> tuple[Any, bytes]:
        data = dumps(error, self._classes)
        return self.load_error(data), data

    def load_error(self, data: bytes) -> Any:
        return loads(data, self._classes)

    def open(self, data: bytes) -> bytes:
        opened = as_code(data, self._classes or ScriptClasses())
        assert opened is not None
        return opened


class SerializedValues:
    """By a serializer of plain data; exceptions as forms.

    Args:
        serializer: The serializer.
        errors: Gives exceptions their forms.
    """

    typed = True

    def __init__(self, serializer: Serializer, errors: ErrorForms) -> None:
        self.name = serializer.name
        self._serializer = serializer
        self._errors = errors

    def pass_value(self, value: Any, kind: Any) -> tuple[Any, bytes]:
        try:
            data = self._serializer.dumps(value, kind)
        except Exception as error:
            raise NotSerializable(f"{_short(error)}{_remedy(kind)}") from error
        try:
            loaded = self._serializer.loads(data, kind)
        except Exception as error:
            problem = f"cannot be read back as {_shown(kind)} ({_short(error)})"
            raise NotSerializable(f"{problem}{_remedy(kind)}") from error
        if type(loaded) is not type(value):
            raise NotSerializable(f"is read back as {type_name(loaded)}{_remedy(kind)}")
        if not _equal(loaded, value):
            problem = "is not equal to what is read back: the declared type leaves something out"
            raise NotSerializable(problem + _remedy(kind))
        return loaded, data

    def load(self, data: bytes, kind: Any) -> Any:
        return self._serializer.loads(data, kind)

    def pass_error(self, error: Exception) -> tuple[Any, bytes]:
        data = self._serializer.dumps(self._errors.form_of(error), FORM)
        return self.load_error(data), data

    def load_error(self, data: bytes) -> Any:
        return self._errors.error_of(self._serializer.loads(data, FORM))

    def open(self, data: bytes) -> bytes:
        return data


def _equal(loaded: Any, value: Any) -> bool:
    try:
        return bool(loaded == value)
    except Exception:  # an array is neither equal nor not
        return False


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def _shown(kind: Any) -> str:
    return "plain JSON data" if kind is None else getattr(kind, "__name__", None) or str(kind)


def _remedy(kind: Any) -> str:
    if kind is None:
        return ""
    return f"; declared is {_shown(kind)}"
