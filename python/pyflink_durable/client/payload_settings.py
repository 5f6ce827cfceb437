"""Settings of payloads that a graph must fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink_durable.client.value_types import parts_of
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.options import DurableOptions

if TYPE_CHECKING:
    from pyflink.common import TypeInformation


def check_payload_settings(
    options: DurableOptions,
    uid: str | None,
    key_type: TypeInformation,
    value_type: TypeInformation,
    has_signals: bool = False,
) -> None:
    """Refuses what would fail after a restore.

    Raises:
        ConfigurationError: Payloads are bound to a uid that is not there, or inputs, keys or
            signals are pickles and pickles are not to be read.
    """
    from pyflink.common.typeinfo import PickledBytesTypeInfo

    if options.writes_frames and uid is None:
        raise ConfigurationError(
            "a serializer that writes no pickles, and codecs, need uid=... on durable_process: by "
            "it what they write is bound to the operator"
        )
    if options.allow_pickle:
        return
    for what, type_info in (("input", value_type), ("key", key_type)):
        if any(isinstance(part, PickledBytesTypeInfo) for part in parts_of(type_info)):
            raise ConfigurationError(
                f"allow_pickle=False, and the {what} is, or has, a PICKLED_BYTE_ARRAY, which a "
                "checkpoint holds as pickles: declare its type, such as Types.ROW_NAMED(...) as "
                "output_type of the map before, or Types.STRING() as key_type of key_by"
            )
    if has_signals:
        raise ConfigurationError(
            "allow_pickle=False, and signals=...: signals are pickles, in their stream and in the "
            "state. Leave signals out, and have a durable call ask for the answer; or leave "
            "allow_pickle=False out, and encrypt what is in the state with codecs=[AesGcm(...)]"
        )
