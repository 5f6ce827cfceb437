"""Python functions that PyFlink runs in the same operator, behind the handler (chaining)."""

from __future__ import annotations

from inspect import getclosurevars
from typing import Any

from pyflink_durable.runtime.values import Outputs, StepOutputs


def take_chain(operation: Any, outputs: Outputs, step: StepOutputs) -> None:
    """Has what these functions emit take the way of what a handler emits.

    Args:
        operation: PyFlink's.
        outputs: Knows the types.
        step: Takes values for side outputs.
    """
    outputs.go_on_in_python()
    operation._output_data_converter = _MainOutput(outputs)
    for function in operation._chained_operations:
        side_outputs = _side_outputs_of(function)
        if side_outputs is not None:
            side_outputs.collect = _SideOutputs(outputs, step).collect


class _MainOutput:
    """Stands for PyFlink's converter of the last function's results."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def to_external(self, value: Any) -> Any:
        return self._outputs.of_chain(value)


class _SideOutputs:
    def __init__(self, outputs: Outputs, step: StepOutputs) -> None:
        self._outputs = outputs
        self._step = step

    def collect(self, tag: str, value: Any) -> None:
        emission = self._outputs.of_chain(value, tag)
        if emission is not None:
            self._step.add(emission)


def _side_outputs_of(function: Any) -> Any:
    """The object that PyFlink collects a function's side outputs with; only its closures know it.

    None if the job reads none.
    """
    process = getclosurevars(function._process_element_func).nonlocals["process_func"]
    return getclosurevars(process).nonlocals.get("side_output_context")
