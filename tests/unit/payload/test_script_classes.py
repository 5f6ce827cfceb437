"""A job's script is submitted again: what a journal holds of its classes is of the new ones."""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from pyflink_durable.errors import RemoteError, ResultNotSerializable
from pyflink_durable.payload.results import load_result, pass_error, pass_result
from pyflink_durable.payload.script_classes import ScriptClasses

SCRIPT = """
import base64, dataclasses, enum, sys
import cloudpickle
from pyflink_durable.payload.script_classes import ScriptClasses

class Status(enum.Enum):
    PAID = "paid"

class Refused(Exception):
    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code

@dataclasses.dataclass
class Receipt:
    status: Status
    lines: list

    class Line:
        def __init__(self, sku):
            self.sku = sku

class Base:
    pass

class Derived(Base):
    __slots__ = ("x",)

def charge():
    raise Refused(51, "no funds")

def make():
    return Receipt(Status.PAID, [Receipt.Line("a")]), Derived()

def handle(told):
    receipt, derived = told
    return {
        "is": receipt.status is Status.PAID,
        "isinstance": isinstance(receipt, Receipt) and isinstance(receipt.lines[0], Receipt.Line),
        "derived": type(derived) is Derived and isinstance(derived, Base),
    }

def catches(error):
    try:
        raise error
    except Refused as refused:
        return refused.code

functions = {"make": make, "charge": charge, "handle": handle, "catches": catches}
functions["status"] = lambda: Status.PAID
sys.stdout.write(base64.b64encode(
    cloudpickle.dumps((functions, ScriptClasses.of(functions)))).decode())
"""
TASK = """
import base64, pickle, sys
import cloudpickle
from pyflink_durable.payload.results import *
from pyflink_durable.payload.results import load_exception, pass_error
submitted, command, *journal = [base64.b64decode(one) for one in sys.argv[1:]]
functions, classes = pickle.loads(submitted)
exec(command.decode())
"""


def run(code: str, folder: Path, *arguments: bytes) -> bytes:
    script = folder / "script.py"
    script.write_text(code)
    encoded = [base64.b64encode(one).decode() for one in arguments]
    done = subprocess.run(
        [sys.executable, str(script), *encoded],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return base64.b64decode(done.stdout)


def in_task(folder: Path, submitted: bytes, command: str, *journal: bytes) -> bytes:
    """Runs code where the script's classes are not those of ``__main__``; `tell` answers."""
    tell = "tell = lambda value: sys.stdout.write(base64.b64encode(value).decode())\n"
    return run(TASK, folder, submitted, (tell + command).encode(), *journal)


def submit(folder: Path) -> bytes:
    return run(SCRIPT, folder)


WRITE = {
    "result": "tell(pass_result(functions['make'](), classes)[1])",
    "as release 0.1": "tell(cloudpickle.dumps(functions['make'](), 5))",
}


@pytest.mark.parametrize("writes", ["result", "as release 0.1"])
def test_results_are_of_the_classes_of_the_new_submission(tmp_path: Path, writes: str) -> None:
    payload = in_task(tmp_path, submit(tmp_path), WRITE[writes])
    read = "tell(repr(functions['handle'](load_result(journal[0], classes))).encode())"
    assert (
        in_task(tmp_path, submit(tmp_path), read, payload)
        == repr({"is": True, "isinstance": True, "derived": True}).encode()
    )


def test_exceptions_are_caught(tmp_path: Path) -> None:
    write = """
try:
    functions['charge']()
except Exception as error:
    tell(pass_error(error, classes)[1])
"""
    payload = in_task(tmp_path, submit(tmp_path), write)
    read = "tell(str(functions['catches'](load_exception(journal[0], classes))).encode())"
    assert in_task(tmp_path, submit(tmp_path), read, payload) == b"51"


def test_inputs_in_flight(tmp_path: Path) -> None:
    """Java puts many pickles into one, which has `pickle.loads` read them."""
    write = """
class Loads:
    def __reduce__(self):
        return pickle.loads, (cloudpickle.dumps(functions['make'](), 5),)
tell(pickle.dumps(Loads(), 5))
"""
    payload = in_task(tmp_path, submit(tmp_path), write)
    read = "tell(repr(all(functions['handle'](classes.loads(journal[0])).values())).encode())"
    assert in_task(tmp_path, submit(tmp_path), read, payload) == b"True"


def test_the_same_values_without_the_table_are_of_other_classes(tmp_path: Path) -> None:
    payload = in_task(tmp_path, submit(tmp_path), WRITE["as release 0.1"])
    read = "tell(repr(any(functions['handle'](pickle.loads(journal[0])).values())).encode())"
    assert in_task(tmp_path, submit(tmp_path), read, payload) == b"False"


# ------------------------------------------------------------------------------ in this process


def script_class(name: str = "Refused", base: type = Exception) -> Any:
    """As one of a script, which this process does not run."""
    return type(name, (base,), {"__module__": "__main__", "__qualname__": name})


def test_a_class_that_the_handler_does_not_lead_to_is_refused() -> None:
    kind = script_class("Receipt", object)
    with pytest.raises(ResultNotSerializable, match=r"class Receipt of the job's script.*move it"):
        pass_result([kind()], ScriptClasses.of(lambda: None))
    passed, _ = pass_result([kind()])  # nothing is submitted again
    assert type(passed[0]) is kind
    error, _ = pass_error(script_class()("no funds"), ScriptClasses())
    assert isinstance(error, RemoteError)
    assert error.type_name == "__main__.Refused"


def test_two_classes_of_one_name_are_none() -> None:
    one, two = script_class(), script_class()

    def handler() -> Any:
        return one, two

    error, _ = pass_error(one("x"), ScriptClasses.of(handler))
    assert isinstance(error, RemoteError)


def test_a_class_that_is_made_in_a_function_is_found_by_its_name() -> None:
    class Refused(Exception):
        """Local to the test."""

    def handler() -> None:
        raise Refused

    classes = ScriptClasses.of(handler)
    error, payload = pass_error(Refused("x"), classes)
    assert type(error) is Refused
    assert b"cloudpickle" not in payload


def test_a_class_of_another_module_is_not_taken_for_one() -> None:
    """cloudpickle writes the bare name first, and the module when the class is there."""

    class Line:
        """The handler's."""

    other = type("Line", (), {"__module__": "elsewhere"})
    with pytest.raises(pickle.UnpicklingError, match="Line of elsewhere"):
        ScriptClasses.of(lambda: Line).loads(cloudpickle.dumps(other()))


def test_importable_classes_are_none_of_the_scripts() -> None:
    assert not ScriptClasses.of([Path, RemoteError, ResultNotSerializable("x"), None, type(None)])


def test_a_handler_that_cannot_be_pickled_is_not_told_here() -> None:
    assert not ScriptClasses.of(value for value in "abc")


def test_functions_are_written_as_code_as_before() -> None:
    factor = 3
    passed, payload = pass_result(lambda x: x * factor, ScriptClasses.of(None))
    assert passed(2) == load_result(payload)(2) == 6  # type: ignore[operator]
