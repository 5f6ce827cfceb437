"""`ToolRegistry`: tools by name."""

from __future__ import annotations

import cloudpickle
import pytest
from shop_tools import fail, price_of

from pyflink_durable.errors import ConfigurationError, DurableExecutionError
from pyflink_durable.tools import Tool, ToolRegistry, UnknownTool, tool


def greet(name: str) -> str:
    """Greets."""
    return f"hello {name}"


def test_tools_in_the_order_in_which_they_came() -> None:
    registry = ToolRegistry([price_of, greet])
    assert registry.register(fail) is fail
    assert [one.name for one in registry] == ["price_of", "greet", "fail"]
    assert [one["function"]["name"] for one in registry.schemas()] == ["price_of", "greet", "fail"]
    assert len(registry) == 3
    assert "greet" in registry and "bow" not in registry
    assert isinstance(registry.get("greet"), Tool)


def test_as_a_decorator() -> None:
    registry = ToolRegistry()

    @registry.register
    def bow(times: int) -> str:
        return "bow " * times

    assert isinstance(bow, Tool)
    assert registry.get("bow") is bow


def test_an_unknown_tool_names_those_that_there_are() -> None:
    with pytest.raises(UnknownTool) as caught:
        ToolRegistry([price_of, greet]).get("price")
    assert str(caught.value) == "there is no tool 'price'; the tools are: price_of, greet"
    assert isinstance(caught.value, DurableExecutionError)
    with pytest.raises(UnknownTool, match="the tools are: none"):
        ToolRegistry().get("price")


def test_a_name_is_taken_once() -> None:
    registry = ToolRegistry([greet])
    with pytest.raises(ConfigurationError, match="there is a tool 'greet' already"):
        registry.register(tool(name="greet")(fail.func))
    assert registry.get("greet").func is greet


def test_a_registry_travels_into_a_job() -> None:
    twin = cloudpickle.loads(cloudpickle.dumps(ToolRegistry([price_of, greet])))
    assert twin.schemas() == ToolRegistry([price_of, greet]).schemas()
