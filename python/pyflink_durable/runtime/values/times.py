"""Dates and times."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from typing import Any

from pyflink.common.time import Instant

from pyflink_durable.runtime.values.basic import unwrapped
from pyflink_durable.runtime.values.misfit import Misfit
from pyflink_durable.runtime.values.output_type import OutputType

_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()
_MICROS_PER_SECOND = 1_000_000
_MICROS_PER_DAY = 86_400 * _MICROS_PER_SECOND
_HAS_ZONE = (
    "It has a time zone, and the type has none: value.astimezone(zone).replace(tzinfo=None) is the "
    "local time there"
)


class Date(OutputType):
    """SQL_DATE or LOCAL_DATE: days since 1970."""

    nullable = True

    def __init__(self, name: str) -> None:
        self.name = name

    def plain(self, value: Any) -> int:
        value = unwrapped(value)
        if isinstance(value, datetime):
            raise Misfit(value, self.name, "It has a time of day, which value.date() leaves out")
        if isinstance(value, date):
            return value.toordinal() - _EPOCH_DAY
        raise Misfit(value, self.name)


class TimeOfDay(OutputType):
    """SQL_TIME or LOCAL_TIME: microseconds of the day."""

    nullable = True

    def __init__(self, name: str) -> None:
        self.name = name

    def plain(self, value: Any) -> int:
        if not isinstance(value, time):
            raise Misfit(value, self.name)
        if value.tzinfo is not None:
            raise Misfit(value, self.name, _HAS_ZONE)
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return seconds * _MICROS_PER_SECOND + value.microsecond


class DateTime(OutputType):
    """SQL_TIMESTAMP or LOCAL_DATE_TIME: microseconds since 1970 of a clock without a zone."""

    def __init__(self, name: str) -> None:
        self.name = name
        # Flink's own form of a null SQL_TIMESTAMP is longer than what its reader takes
        self.nullable = name == "LOCAL_DATE_TIME"

    def plain(self, value: Any) -> int:
        value = unwrapped(value)
        if not isinstance(value, datetime):
            raise Misfit(value, self.name)
        if value.tzinfo is not None:
            raise Misfit(value, self.name, _HAS_ZONE)
        days = value.toordinal() - _EPOCH_DAY
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return days * _MICROS_PER_DAY + seconds * _MICROS_PER_SECOND + value.microsecond


class InstantOfTime(OutputType):
    """INSTANT: seconds since 1970, and nanoseconds."""

    name = "INSTANT"
    nullable = True

    def plain(self, value: Any) -> tuple[int, int]:
        if isinstance(value, Instant):
            return value.seconds, value.nanos
        if not isinstance(value, datetime):
            raise Misfit(value, self.name)
        if value.tzinfo is None:
            raise Misfit(value, self.name, "It has no time zone, such as timezone.utc")
        since = value.astimezone(timezone.utc).replace(tzinfo=None) - _EPOCH
        return since.days * 86_400 + since.seconds, since.microseconds * 1_000
