"""Where the ``write-ahead`` level keeps its log."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _CallLog(BaseModel):
    """What every kind of log has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instead_of: str | None = Field(default=None, min_length=1)
    """The id of another log, in whose place this one is given on purpose.

    A checkpoint goes with one log, and a restore refuses any other with an error that names the id.
    What was called since that checkpoint is then made again. May stay: it names that one log.
    """

    def settings(self) -> dict[str, str]:
        """What the Java side reads."""
        return {} if self.instead_of is None else {"instead.of": self.instead_of}


class FileCallLog(_CallLog):
    """A log in a directory: on a local disk for one machine, on a shared one for several.

    Each operator has a folder in it, named after the operator's uid. Every subtask writes segments
    of its own there, and after a failure reads those of all.
    """

    type: Literal["file"] = "file"

    directory: Path
    """An absolute path that every TaskManager sees under this name."""

    segment_megabytes: int = Field(default=64, ge=1, le=2_047)
    """The size at which a new segment begins. Default 64."""

    @field_validator("directory")
    @classmethod
    def _check_directory(cls, directory: Path) -> Path:
        if not directory.is_absolute():
            raise ValueError(f"directory must be an absolute path, not {str(directory)!r}")
        return directory

    def settings(self) -> dict[str, str]:
        return super().settings() | {
            "type": self.type,
            "directory": str(self.directory),
            "segment.size": f"{self.segment_megabytes} mb",
        }


class KafkaCallLog(_CallLog):
    """A log in a Kafka topic, one for each operator.

    The topic has one partition for each key group; the first start makes it if it is missing.
    """

    # the properties may hold passwords
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["kafka"] = "kafka"

    bootstrap_servers: str = Field(min_length=1)
    """Addresses of brokers, ``host:port`` with commas between."""

    topic: str | None = Field(default=None, min_length=1)
    """The topic's name. Default: ``pyflink-durable-`` and the operator's uid."""

    append_timeout: float = Field(default=30.0, ge=1, allow_inf_nan=False)
    """Seconds after which an append that Kafka has not confirmed has failed. Default 30."""

    recovery_timeout: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """Seconds without progress after which reading the log at the start has failed. Default 120."""

    max_entry_megabytes: int = Field(default=16, ge=1, le=1_024)
    """The largest entry, that is the result of a call and some bytes more. Default 16."""

    replication_factor: int | None = Field(default=None, ge=1)
    """Of a topic that is made. Default None: the broker's own default."""

    properties: dict[str, str] = Field(default_factory=dict, repr=False)
    """Further settings of the Kafka clients, such as ``security.protocol``."""

    def settings(self) -> dict[str, str]:
        settings = super().settings() | {
            "type": self.type,
            "bootstrap.servers": self.bootstrap_servers,
            "append.timeout": f"{int(self.append_timeout * 1000)} ms",
            "recovery.timeout": f"{int(self.recovery_timeout * 1000)} ms",
            "max.entry.size": f"{self.max_entry_megabytes} mb",
        }
        if self.topic is not None:
            settings["topic"] = self.topic
        if self.replication_factor is not None:
            settings["replication.factor"] = str(self.replication_factor)
        return settings | {f"properties.{name}": value for name, value in self.properties.items()}


CallLog = FileCallLog | KafkaCallLog
