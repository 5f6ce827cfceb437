"""A directory that grows as a source, and an exactly-once sink of files."""

from __future__ import annotations

from pathlib import Path

from pyflink.common import Duration, WatermarkStrategy
from pyflink.common.serialization import Encoder
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import (
    FileSink,
    FileSource,
    RollingPolicy,
    StreamFormat,
)


def read_lines(env: StreamExecutionEnvironment, folder: Path) -> DataStream:
    """The lines of the files in a directory, in order, and of those that come later."""
    source = (
        FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(folder))
        .monitor_continuously(Duration.of_millis(200))
        .build()
    )
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "files").uid("files")
    return lines.set_parallelism(1)


def write_lines(lines: DataStream, folder: Path) -> None:
    """Files that are visible once the checkpoint behind them is complete."""
    sink = (
        FileSink.for_row_format(str(folder), Encoder.simple_string_encoder())
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .build()
    )
    lines.sink_to(sink).uid("sink")
