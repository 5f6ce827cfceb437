"""Inputs of a snapshot that stand there as payloads."""

from __future__ import annotations

import pickle

from pyflink_durable.handler import Handler
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.frame import is_pickle, peek
from pyflink_durable.payload.inputs import FLINK
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.operator.input_seals import InputSeals
from pyflink_durable.snapshot import Invocation


def input_of(
    invocation: Invocation, handler: Handler, options: DurableOptions | None
) -> bytes | None:
    """The pickle of an input in flight.

    Args:
        invocation: From a snapshot that was read with its payloads.
        handler: That of the input.
        options: Those of its operator.

    Returns:
        None if it is of a type that Python cannot read from outside: one that PyFlink has no
        counterpart of, or one that is no pickle and is encrypted or compressed.

    Raises:
        PayloadNotLoadable: It cannot be read so.
    """
    payload, key = invocation.input, invocation.key_data
    data = None if payload is None else payload.data
    if data is None or key is None or is_pickle(data):
        return data
    if peek(data).names[0] == FLINK:
        return None
    uid = invocation.operator.uid or ""
    seals = InputSeals(uid, Payloads(options).inputs(), pickle.loads, handler, {})
    return seals.open(key, invocation.sequence, invocation.version, data, pickled=True)
