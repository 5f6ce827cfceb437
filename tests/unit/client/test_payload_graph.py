"""Settings of payloads that a job graph does not fit are refused when it is built."""

from __future__ import annotations

from typing import Any

import pytest
from graphs import environment, keyed, numbers, process
from pyflink.common import Types

from pyflink_durable import ConfigurationError, DurableOptions, JsonSerializer, Signal

STRICT = DurableOptions(serializer=JsonSerializer(), allow_pickle=False)


def test_what_is_bound_to_the_operator_needs_a_uid() -> None:
    env = environment()
    with pytest.raises(ConfigurationError, match=r"need uid=\.\.\. on durable_process"):
        process(env, options=DurableOptions(serializer=JsonSerializer()))
    process(env, options=DurableOptions(serializer=JsonSerializer()), uid="orders")


def test_without_pickles_inputs_and_keys_need_types() -> None:
    env = environment()
    rows: Any = Types.ROW([Types.INT(), Types.LIST(Types.PICKLED_BYTE_ARRAY())])
    stream = numbers(env)
    for wrong, what in (
        (stream.map(lambda value: value).key_by(lambda value: 1, Types.INT()), "input"),
        (stream.map(lambda value: value, rows).key_by(lambda value: 1, Types.INT()), "input"),
        (stream.key_by(lambda value: value), "key"),
    ):
        with pytest.raises(ConfigurationError, match=rf"the {what} is, or has, a PICKLED"):
            process(env, stream=wrong, options=STRICT, uid="orders")
    process(env, stream=keyed(env), options=STRICT, uid="orders")


def test_without_pickles_there_are_no_signals() -> None:
    env = environment()
    signals = numbers(env).map(lambda value: Signal("paid", value))
    signals = signals.key_by(lambda signal: signal.value, Types.INT())
    with pytest.raises(ConfigurationError, match="signals are pickles, in their stream and in"):
        process(env, options=STRICT, uid="orders", signals=signals)
    process(env, options=DurableOptions(serializer=JsonSerializer()), uid="orders", signals=signals)
