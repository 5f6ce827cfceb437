"""Tools: typed functions that a model may ask for, each run as a durable call.

This module is the whole public surface of tools. `pyflink_durable` does not import it: a job
without tools does not load what they need.
"""

from pyflink_durable.tool_options import ToolCallMode, ToolCallOptions
from pyflink_durable.tools.calling import call_tools, call_tools_in_thread
from pyflink_durable.tools.context import ToolContext
from pyflink_durable.tools.errors import InvalidArguments, UnknownTool
from pyflink_durable.tools.events import ToolCall, ToolRequestEvent, ToolResponseEvent
from pyflink_durable.tools.registry import ToolRegistry
from pyflink_durable.tools.schema import FunctionSchema
from pyflink_durable.tools.tool import Tool, ToolCallRules, tool

__all__ = [
    "FunctionSchema",
    "InvalidArguments",
    "Tool",
    "ToolCall",
    "ToolCallMode",
    "ToolCallOptions",
    "ToolCallRules",
    "ToolContext",
    "ToolRegistry",
    "ToolRequestEvent",
    "ToolResponseEvent",
    "UnknownTool",
    "call_tools",
    "call_tools_in_thread",
    "tool",
]
