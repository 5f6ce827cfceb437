"""The public surface of tools, frozen; and who does not load them."""

from __future__ import annotations

import subprocess
import sys

from pyflink_durable import tools

NAMES = {
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
}


def test_names() -> None:
    assert set(tools.__all__) == NAMES
    assert all(hasattr(tools, name) for name in NAMES)


def test_a_job_without_tools_does_not_load_what_they_need() -> None:
    code = (
        "import sys, pyflink_durable, pyflink_durable.batch, pyflink_durable.tool_options\n"
        "assert not {'pyflink_durable.tools', 'docstring_parser', 'openai'} & set(sys.modules)\n"
        "import pyflink_durable.tools\n"
        "assert 'openai' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
