"""From a typed function to a JSON schema, and from what a model wrote to its arguments."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import shop_tools
from shop_tools import Address, Size, order, price_of

from pyflink_durable import RunnerContext
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.tools import InvalidArguments, Tool, ToolContext, ToolRegistry, tool

GOLDEN = Path(__file__).parent / "golden"


def greet(name: str) -> str:
    return f"hello {name}"


tools = pytest.mark.parametrize("one", [price_of, order], ids=lambda one: one.name)


@tools
def test_the_schema_of_a_tool(one: Tool) -> None:
    assert one.openai_schema() == json.loads((GOLDEN / f"schema_{one.name}.json").read_text())


def test_a_tool_without_anything_to_tell() -> None:
    def ping() -> str:
        return "pong"

    assert tool(ping).openai_schema() == {
        "type": "function",
        "function": {
            "name": "ping",
            "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        },
    }


def test_name_and_description_can_be_given() -> None:
    @tool(name="hello-there", description="Greets.")
    def hello(name: str) -> str:
        """Not for models."""
        return name

    function = hello.openai_schema()["function"]
    assert (function["name"], function["description"]) == ("hello-there", "Greets.")


@pytest.mark.parametrize(
    "docstring",
    [
        "Greets.\n\n:param name: Whom to greet.\n",
        "Greets.\n\nParameters\n----------\nname : str\n    Whom to greet.\n",
        "Greets.\n\nArgs:\n    name (str): Whom to greet.\n\nRaises:\n    ValueError: Never.\n",
    ],
    ids=["rest", "numpydoc", "google"],
)
def test_styles_of_docstrings(docstring: str) -> None:
    def hello(name: str) -> str:
        return name

    hello.__doc__ = docstring
    made = tool(hello)
    assert made.description == "Greets."
    assert made.schema.parameters["properties"]["name"]["description"] == "Whom to greet."


def test_a_tool_is_called_as_the_function_it_was() -> None:
    assert price_of("tea")["price"] == 3
    assert price_of.__doc__ is not None and price_of.__doc__.startswith("Tells the price")


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def find(self, item: str, /, shelf: int = 1) -> str:
        """Finds an item."""
        return f"{self.name}: {item} on {shelf}"

    async def __call__(self, item: str) -> str:
        return item


def test_methods_and_callable_objects_are_tools_too() -> None:
    found = tool(Shop("corner").find)
    assert found.name == "find"
    assert found.run(found.schema.validate('{"item": "tea"}'), None) == "corner: tea on 1"
    assert Tool(Shop("corner"), name="shop").is_async


class Library:
    """Has tools for methods."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def was_lent(self, arguments: dict[str, Any], tool_call_id: str) -> Any:
        return [self.name, arguments, tool_call_id]

    @tool(reconciler=was_lent, timeout=3)
    async def lend(self, book: str, ctx: ToolContext) -> str:
        """Lends a book."""
        return f"{book} of {self.name}"

    @tool
    def count(self) -> str:
        return self.name


def test_a_method_is_bound_to_the_object_that_it_is_taken_from() -> None:
    here, there = Library("here"), Library("there")
    assert list(Library.lend.schema.parameters["properties"]) == ["book"]
    assert (here.count(), there.count()) == ("here", "there")
    lend: Any = there.lend
    assert asyncio.run(lend.run({"book": "Emma"}, None)) == "Emma of there"
    assert asyncio.run(lend.rules.reconciler({}, "a")) == ["there", {}, "a"]
    assert lend.is_async
    assert lend.rules.timeout == 3
    assert ToolRegistry([here.lend, here.count]).get("lend").func.__self__ is here


def test_a_method_without_its_object_is_refused() -> None:
    for method in (Library.count, Library.was_lent):
        with pytest.raises(ConfigurationError, match="is a method: register it from an object"):
            ToolRegistry([method])


@pytest.mark.parametrize("by_value", [False, True], ids=["by name", "by value"])
def test_a_bound_method_takes_its_object_along(by_value: bool) -> None:
    module = sys.modules[__name__]
    if by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled = cloudpickle.dumps(ToolRegistry([Library("here").lend]))
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)
    twin = cloudpickle.loads(pickled).get("lend")
    assert asyncio.run(twin.run({"book": "Emma"}, None)) == "Emma of here"
    assert twin.is_async
    assert twin.openai_schema() == Library.lend.openai_schema()


@pytest.mark.parametrize("context", [RunnerContext, ToolContext])
def test_the_context_is_no_argument_wherever_it_stands(context: type) -> None:
    def where(item: str, ctx: context, shelf: int = 2) -> Any:  # type: ignore[valid-type]
        return item, ctx, shelf

    where.__annotations__["ctx"] = context
    made = tool(where)
    assert list(made.schema.parameters["properties"]) == ["item", "shelf"]
    assert made.run(made.schema.validate('{"item": "tea"}'), "a context") == (  # type: ignore[arg-type]
        "tea",
        "a context",
        2,
    )
    with pytest.raises(InvalidArguments, match="ctx: Extra inputs are not permitted"):
        made.schema.validate('{"item": "tea", "ctx": {}}')


# -------------------------------------------------------------------- what cannot be a tool


def untyped(item) -> str:  # type: ignore[no-untyped-def]
    return str(item)


def many(*items: str) -> str:
    return str(items)


def named(**items: str) -> str:
    return str(items)


def takes_a_callback(after: Callable[[int], int]) -> None: ...


def two_contexts(first: RunnerContext, second: RunnerContext) -> None: ...


def lost(item: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("func", "message"),
    [
        (untyped, "parameter 'item' of tool untyped has no type: write `item: str`"),
        (many, r"tool many takes \*items: .*: a model needs to know each argument"),
        (named, r"tool named takes \*\*items"),
        (takes_a_callback, "tool takes_a_callback has a parameter that JSON cannot carry"),
        (two_contexts, r"tool two_contexts takes the context twice: \['first', 'second'\]"),
        (lost, "tool lost has a type that cannot be found: name 'Missing' is not defined"),
        (lambda: None, "'<lambda>' cannot be the name of a tool"),
    ],
)
def test_what_is_refused_when_the_tool_is_made(func: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        tool(func)


def test_rules_are_checked_when_the_tool_is_made() -> None:
    with pytest.raises(TypeError, match="a tool is made of a function, not of str"):
        tool("price_of")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"reconciler must be callable, with \(arguments, tool_cal"):
        tool(reconciler=7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout must be above 0"):
        tool(timeout=-1)


# -------------------------------------------------------------------- arguments


@pytest.mark.parametrize("form", [json.dumps, dict], ids=["text", "content"])
def test_arguments_become_the_types_of_the_function(form: Any) -> None:
    given = {
        "items": ["tea"],
        "address": {"street": "Main", "zip": "12345"},
        "size": "large",
        "copies": "2",
    }
    assert order.schema.validate(form(given)) == {
        "items": ["tea"],
        "address": Address(street="Main", zip="12345"),
        "size": Size.LARGE,
        "note": None,
        "copies": 2,
        "json": "",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "item: Field required"),
        ('{"item": 7}', "item: Input should be a valid string, not 7"),
        (
            '{"item": "tea", "currency": "GBP"}',
            "currency: Input should be 'EUR' or 'USD', not \"GBP\"",
        ),
        ('{"item": "tea", "shop": 1}', "shop: Extra inputs are not permitted"),
        ("tea", "arguments: Invalid JSON: expected ident at line 1 column 2"),
        ('["tea"]', 'arguments: Input should be an object, not ["tea"]'),
    ],
)
def test_a_model_is_told_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        price_of.schema.validate(text)
    assert str(caught.value) == message


def test_every_wrong_argument_is_named_and_none_is_shown_at_length() -> None:
    address = {"street": "x" * 1000, "zip": "no"}
    with pytest.raises(InvalidArguments) as caught:
        order.schema.validate({"items": [1], "address": address, "copies": 10})
    assert str(caught.value) == (
        "items.0: Input should be a valid string, not 1; "
        "address.zip: String should match pattern '^\\d{5}$', not \"no\"; "
        "copies: Input should be less than or equal to 9, not 10"
    )
    with pytest.raises(InvalidArguments) as caught:
        order.schema.validate({"items": "y" * 1000, "address": address})
    assert len(str(caught.value)) < 300


# -------------------------------------------------------------------- on its way into a job


def test_a_tool_of_a_module_goes_by_its_name() -> None:
    for dump in (pickle.dumps, cloudpickle.dumps):
        assert pickle.loads(dump(price_of)) is price_of


def test_a_tool_that_cannot_be_imported_goes_by_its_parts() -> None:
    def local(item: str, copies: int = 2) -> str:
        """Made here."""
        return item * copies

    made = tool(name="mine", timeout=3)(local)
    twin = cloudpickle.loads(cloudpickle.dumps(made))
    assert twin is not made
    assert twin.openai_schema() == made.openai_schema()
    assert twin.rules == made.rules
    assert twin("ab") == "abab"


@tools
def test_a_module_that_goes_by_value_takes_its_tools_along(one: Tool) -> None:
    cloudpickle.register_pickle_by_value(shop_tools)
    try:
        twin = cloudpickle.loads(cloudpickle.dumps(one))
    finally:
        cloudpickle.unregister_pickle_by_value(shop_tools)
    assert twin is not one
    assert twin.func is not one.func
    assert twin.openai_schema() == one.openai_schema()


def test_a_tool_under_another_name_than_its_function_goes_by_its_parts() -> None:
    made = tool(name="other")(greet)
    assert pickle.loads(pickle.dumps(made))("you") == "hello you"
