"""What a job graph is made of: which of its operators are durable, and what is set for it."""

from __future__ import annotations

from typing import Any

OPERATOR = "pyflink.durable.operator.DurableKeyedProcessOperator"
OPERATOR_WITH_SIGNALS = "pyflink.durable.operator.DurableKeyedCoProcessOperator"


def is_durable(transformation: Any) -> bool:
    """Whether it is that of a `durable_process`."""
    kinds = ("OneInputTransformation", "TwoInputTransformation")
    if transformation.getClass().getSimpleName() not in kinds:
        return False
    factory = transformation.getOperatorFactory()
    if (
        factory.getClass().getSimpleName() != "SimpleOperatorFactory"
    ):  # it would compile its code to tell
        return False
    operator = factory.getOperator().getClass().getName()
    return operator in (OPERATOR, OPERATOR_WITH_SIGNALS)


def is_behind_durable(stream: Any) -> bool:
    """Whether only Python functions that run in one operator with a handler come before."""
    settings = settings_of(stream.get_execution_environment())
    if settings.get("python.operator-chaining.enabled") == "false":
        return False
    (before,) = stream._j_data_stream.getTransformation().getInputs()
    parallelism = before.getParallelism()
    while (
        before.getClass().getSimpleName() == "OneInputTransformation"
        and before.getOperatorFactory().getClass().getSimpleName().endswith("SimpleOperatorFactory")
        and before.getParallelism() == parallelism
    ):
        factory = before.getOperatorFactory()
        operator = factory.getOperator().getClass().getName()
        if operator == OPERATOR:
            return True
        is_python = operator.startswith("org.apache.flink.streaming.api.operators.python.")
        if not is_python or factory.getChainingStrategy().name() != "ALWAYS":
            return False
        (before,) = before.getInputs()
    return False


def settings_of(env: Any) -> dict[str, str]:
    """What is set for the job, Flink's defaults left out."""
    from pyflink.util.java_utils import get_j_env_configuration

    return dict(get_j_env_configuration(env._j_stream_execution_environment).toMap())
