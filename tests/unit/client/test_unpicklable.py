"""What cannot be pickled into the job is named: the variable, whose it is, and where it belongs."""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import cloudpickle
import pytest
from job_scripts import Client, global_of_the_handler, of_the_script
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from pyflink_durable import (
    ConfigurationError,
    DurableOptions,
    RetryPolicy,
    RunnerContext,
    durable_process,
)
from pyflink_durable.client.unpicklable import refuse_unpicklable

INSIDE = "attribute pool of the Client > item connections > element 0 > a _thread.lock: cannot"


def global_of_a_helper() -> Any:
    return of_the_script(
        "def charge(order): client.charge(order)\n"
        "async def handle(value, ctx): await ctx.durable_execute_async(charge, value)",
        client=Client(),
    )


def global_of_a_lambda_inside() -> Any:
    return of_the_script(
        "async def handle(value, ctx):\n"
        "    await ctx.durable_execute_async(print, reconciler=lambda: client.charge(value))",
        client=Client(),
    )


def closure_variable() -> Any:
    def make(client: Client) -> Any:
        async def handle(value: Any, ctx: RunnerContext) -> None:
            client.charge(value)

        return handle

    return {"handle": make(Client())}


def default_argument() -> Any:
    return of_the_script("async def handle(value, ctx, client=client): pass", client=Client())


def keyword_only_default() -> Any:
    return of_the_script("async def handle(value, ctx, *, client=client): pass", client=Client())


def attribute_of_a_function() -> Any:
    names = of_the_script("async def handle(value, ctx): pass")
    names["handle"].client = Client()
    return names


def attribute_of_a_handler() -> Any:
    return of_the_script(
        "class Orders(DurableProcessFunction):\n"
        "    def __init__(self, client): self.client = client\n"
        "    async def process(self, value, ctx): self.client.charge(value)\n"
        "handle = Orders(client)",
        client=Client(),
    )


def attribute_of_a_handlers_class() -> Any:
    return of_the_script(
        "class Orders(DurableProcessFunction):\n"
        "    client = client\n"
        "    async def process(self, value, ctx): pass\n"
        "handle = Orders()",
        client=Client(),
    )


def global_of_a_method() -> Any:
    return of_the_script(
        "class Orders(DurableProcessFunction):\n"
        "    async def process(self, value, ctx): client.charge(value)\n"
        "handle = Orders()",
        client=Client(),
    )


def object_of_a_bound_method() -> Any:
    names = of_the_script(
        "class Orders:\n"
        "    def __init__(self, client): self.client = client\n"
        "    async def process(self, value, ctx): pass\n"
        "handle = Orders(client).process",
        client=Client(),
    )
    return names


def argument_of_a_partial() -> Any:
    names = of_the_script("async def handle(client, value, ctx): pass")
    names["handle"] = partial(names["handle"], Client())
    return names


PLACES = {
    global_of_the_handler: ("global client of function handle", "client"),
    global_of_a_helper: (
        "global charge of function handle > global client of function charge",
        "client",
    ),
    global_of_a_lambda_inside: ("global client of function handle", "client"),
    closure_variable: ("closure variable client of function closure_variable.", "client"),
    default_argument: ("default of argument client of function handle", "client"),
    keyword_only_default: ("default of argument client of function handle", "client"),
    attribute_of_a_function: ("attribute client of function handle", "handle.client"),
    attribute_of_a_handler: ("attribute client of the Orders", "Orders.client"),
    attribute_of_a_handlers_class: ("attribute client of class Orders", "Orders.client"),
    global_of_a_method: (
        "method Orders.process > global client of function Orders.process",
        "client",
    ),
    object_of_a_bound_method: ("attribute client of the Orders", "Orders.client"),
    argument_of_a_partial: ("argument 0 of the partial", "argument 0 of the partial"),
}


def explanation(handler: Any) -> str:
    with pytest.raises(Exception, match=r"cannot pickle '_thread\.lock'") as failure:
        cloudpickle.dumps(handler)
    with pytest.raises(ConfigurationError) as refused:
        refuse_unpicklable([handler], {"handler handle": handler}, failure.value)
    assert refused.value.__cause__ is failure.value
    return str(refused.value)


@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__)
def test_each_place_is_named(make: Callable[[], Any]) -> None:
    place, _variable = PLACES[make]
    message = explanation(make()["handle"])
    assert message.startswith("handler handle cannot be pickled")
    assert place in message
    assert INSIDE in message


@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__)
def test_the_remedy_names_the_variable(make: Callable[[], Any]) -> None:
    """The one that the user wrote; what is inside of it is no business of theirs."""
    assert f"Create {PLACES[make][1]} in open() of a" in explanation(make()["handle"])


def test_what_refuses_by_itself_needs_no_path() -> None:
    lock = threading.Lock()
    assert "handler handle cannot be pickled" in explanation(lock)


def test_slots_bases_and_properties_are_looked_into() -> None:
    names = of_the_script(
        "class Held:\n"
        "    __slots__ = ('lock',)\n"
        "class Base(ABC):\n"
        "    @property\n"
        "    def held(self): return held\n"
        "class Orders(Base):\n"
        "    async def __call__(self, value, ctx): pass\n"
        "held = Held()\n"
        "held.lock = lock",
        ABC=abc.ABC,
        lock=threading.Lock(),
    )
    message = explanation(names["Orders"]())
    assert "base class Base > method Base.held > global held of function Base.held" in message
    assert "attribute lock of the Held > a _thread.lock" in message


def test_variables_that_go_round_end() -> None:
    names = of_the_script(
        "async def handle(value, ctx): await other(value, ctx)\n"
        "async def other(value, ctx): await handle(client, ctx)",
        client=Client(),
    )
    message = explanation(names["handle"])
    assert "global other of function handle > global client of function other" in message


def test_another_failure_is_left_alone() -> None:
    refuse_unpicklable([1], {"handler": 1}, RuntimeError("the gateway is gone"))


def job(handler: Any, options: DurableOptions | None = None) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.enable_checkpointing(1000)
    stream = env.from_collection([1], Types.INT()).uid("numbers").key_by(lambda value: value)
    durable_process(
        stream, handler, output_type=Types.INT(), options=options, name="orders", uid="orders"
    )


def test_a_job_is_refused_when_it_is_built() -> None:
    with pytest.raises(ConfigurationError, match="global client of function handle"):
        job(global_of_the_handler()["handle"])


def test_the_environment_is_of_the_program() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    handler = of_the_script("async def handle(value, ctx): env.execute()", env=env)["handle"]
    with pytest.raises(ConfigurationError, match=r"env belongs to the program that builds the job"):
        job(handler)


def test_options_are_named_too() -> None:
    async def handle(value: Any, ctx: RunnerContext) -> None: ...

    client = Client()
    with_id = DurableOptions(invocation_id=lambda value: client.charge(value))
    with pytest.raises(
        ConfigurationError, match=r"^option invocation_id .* closure variable client of function"
    ):
        job(handle, with_id)


def test_retried_exceptions_that_hold_something() -> None:
    async def handle(value: Any, ctx: RunnerContext) -> None: ...

    refused = of_the_script("class Refused(Exception):\n    client = client", client=Client())[
        "Refused"
    ]
    with pytest.raises(ConfigurationError, match=r"^option retry .* attribute client of class"):
        job(handle, DurableOptions(retry=RetryPolicy(retry_on=(refused,))))
