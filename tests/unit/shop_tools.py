"""Tools for tests; module-level, as users write them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Optional

from pydantic import BaseModel, Field

from pyflink_durable import RunnerContext
from pyflink_durable.tools import tool


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Address(BaseModel):
    """Where to send it."""

    street: str
    zip: str = Field(pattern=r"^\d{5}$")


@dataclass
class Receipt:
    order: str
    total: Decimal
    day: date


@tool
def price_of(item: str, currency: Literal["EUR", "USD"] = "EUR") -> dict[str, Any]:
    """Tells the price of an item.

    Prices are those of today.

    Args:
        item: What the item is called.
        currency: The currency
            of the answer.

    Returns:
        The price.
    """
    return {"item": item, "price": len(item), "currency": currency}


@tool
async def order(
    ctx: RunnerContext,
    items: list[str],
    address: Address,
    size: Size = Size.SMALL,
    note: Optional[str] = None,  # noqa: UP045 - the older form has to work, too
    copies: Annotated[int, Field(ge=1, le=9, description="How many")] = 1,
    json: Annotated[str, "A name that pydantic's models use themselves"] = "",
) -> Receipt:
    """Orders items."""
    await asyncio.sleep(0)
    return Receipt(f"{ctx.key}/{'+'.join(items)}", Decimal(copies), date(2025, 1, 2))


@tool
def fail(reason: str) -> None:
    """Fails."""
    raise LookupError(reason)
