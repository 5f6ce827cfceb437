"""What is wrong with a tool call before it starts; a model can read these messages."""

from __future__ import annotations

from pyflink_durable.errors import DurableExecutionError


class UnknownTool(DurableExecutionError, LookupError):
    """No tool of this name is registered.

    In `call_tools` it is the failure of that tool call, and its message, which names the tools
    that there are, goes back to the model.
    """


class InvalidArguments(DurableExecutionError, ValueError):
    """The arguments of a tool call do not fit the tool.

    In `call_tools` it is the failure of that tool call, and its message, which names each argument
    that is wrong, goes back to the model. The tool has not run.
    """
