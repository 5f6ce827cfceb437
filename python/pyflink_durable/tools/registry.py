"""The tools that a model may ask for, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.tools.errors import UnknownTool
from pyflink_durable.tools.signature import is_method
from pyflink_durable.tools.tool import Tool, tool


class ToolRegistry:
    """Tools by name, in the order in which they were registered.

    Args:
        tools: Tools, or functions to make tools of.
    """

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for one in tools:
            self.register(one)

    def register(self, added: Tool | Callable[..., Any]) -> Tool:
        """Adds a tool; also a decorator: ``@registry.register``.

        Raises:
            ConfigurationError: Another tool has this name, or it is a method without its object.
        """
        made = added if isinstance(added, Tool) else tool(added)
        if is_method(made.func):
            raise ConfigurationError(
                f"tool {made.name!r} is a method: register it from an object, self.{made.name}"
            )
        if made.name in self._tools:
            raise ConfigurationError(
                f"there is a tool {made.name!r} already: a model could not tell them apart. Give "
                'one of them another name: @tool(name="...")'
            )
        self._tools[made.name] = made
        return made

    def get(self, name: str) -> Tool:
        """The tool of this name.

        Raises:
            UnknownTool: There is none; the message names those that there are.
        """
        found = self._tools.get(name)
        if found is None:
            known = ", ".join(self._tools) or "none"
            raise UnknownTool(f"there is no tool {name!r}; the tools are: {known}")
        return found

    def schemas(self) -> list[dict[str, Any]]:
        """All tools as chat APIs of OpenAI's form take them in ``tools=``."""
        return [one.openai_schema() for one in self._tools.values()]

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools
