"""What a handler's ``open`` is given: PyFlink's `RuntimeContext`, as far as it goes here."""

from __future__ import annotations

from typing import Any, NoReturn

from pyflink.datastream import RuntimeContext
from pyflink.metrics import MetricGroup

from pyflink_durable.errors import ConfigurationError


class TaskContext(RuntimeContext):  # type: ignore[misc]
    """Facts of the task, by the names that they have in PyFlink on every version of Flink.

    PyFlink's own context in thread mode asks Java for them by names that Flink 2 has no more. Its
    states would belong to whatever key the task is at when a handler uses them, not to the
    handler's.

    Args:
        facts: What the bridge's ``describeTask`` tells.
        metrics: The operator's metric group.
        flink_context: PyFlink's context.
    """

    def __init__(self, facts: Any, metrics: MetricGroup, flink_context: RuntimeContext) -> None:
        self._job_id, self._name, self._name_with_subtasks = (str(text) for text in facts[:3])
        self._index, self._parallelism, self._max_parallelism, self._attempt = map(int, facts[3:])
        self._metrics = metrics
        self._flink_context = flink_context

    def get_job_id(self) -> str:
        """The id of the job, as 32 hexadecimal digits."""
        return self._job_id

    def get_task_name(self) -> str:
        return self._name

    def get_task_name_with_subtasks(self) -> str:
        return self._name_with_subtasks

    def get_index_of_this_subtask(self) -> int:
        return self._index

    def get_number_of_parallel_subtasks(self) -> int:
        return self._parallelism

    def get_max_number_of_parallel_subtasks(self) -> int:
        return self._max_parallelism

    def get_attempt_number(self) -> int:
        return self._attempt

    def get_job_parameter(self, key: str, default_value: str) -> Any:
        return self._flink_context.get_job_parameter(key, default_value)

    def get_metrics_group(self) -> MetricGroup:
        return self._metrics

    def get_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state("get_state")

    def get_list_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state("get_list_state")

    def get_map_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state("get_map_state")

    def get_reducing_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state("get_reducing_state")

    def get_aggregating_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state("get_aggregating_state")


def _refuse_state(method: str) -> NoReturn:
    raise ConfigurationError(
        f"{method}() of the runtime context is not for durable handlers: many of them are under "
        "way at a time, each for a key of its own, and such a state is of the key that the task "
        "has last met. Use ctx.state in process(value, ctx), a dict for the handler's key"
    )
