"""What runs inside the TaskManager."""

from pyflink_durable.runtime.runner_context import FlinkRunnerContext

__all__ = ["FlinkRunnerContext"]
