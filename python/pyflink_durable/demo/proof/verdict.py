"""Checks a run against the service's database: the promise, and what of it was broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pyflink_durable.demo.ledger import Charge
from pyflink_durable.options import Durability


@dataclass(frozen=True)
class Verdict:
    """What a run did, order by order.

    Attributes:
        level: The guarantee that the job ran at.
        orders: The ids of all orders.
        charges: The charges in the service's database, by order.
        answers: What the job's sink has committed.
    """

    level: Durability
    orders: Sequence[str]
    charges: Mapping[str, Sequence[Charge]]
    answers: Sequence[Mapping[str, Any]]

    @cached_property
    def not_charged(self) -> list[str]:
        return [order for order in self.orders if not self.charges.get(order)]

    @cached_property
    def charged_again(self) -> list[str]:
        """Orders with more than one charge."""
        return [order for order, charges in self.charges.items() if len(charges) > 1]

    @cached_property
    def not_answered(self) -> list[str]:
        return sorted(set(self.orders) - self._answered.keys())

    @cached_property
    def answered_again(self) -> list[str]:
        """Orders with more than one answer."""
        return [order for order, count in self._answered.items() if count > 1]

    @cached_property
    def answered_wrongly(self) -> list[str]:
        """Orders whose answer names a charge that is not theirs."""
        return [
            answer["order"]
            for answer in self.answers
            if answer["charge"] not in {one.id for one in self.charges.get(answer["order"], ())}
        ]

    @cached_property
    def unknown(self) -> list[str]:
        """Orders that were charged or answered, and are none of the run's."""
        return sorted((self.charges.keys() | self._answered.keys()) - set(self.orders))

    @cached_property
    def _answered(self) -> Counter[str]:
        return Counter(answer["order"] for answer in self.answers)

    @property
    def broken(self) -> dict[str, list[str]]:
        """The promises that were broken, each with its orders; empty if the level kept them."""
        promises = {
            "not charged": self.not_charged,
            "charged more than once": self.charged_again,
            "not answered": self.not_answered,
            "answered more than once": self.answered_again,
            "answered with a charge of another order": self.answered_wrongly,
            "that nobody sent": self.unknown,
        }
        if self.level == "checkpoint":
            del promises["charged more than once"]  # it promises no more than at least once
        return {what: orders for what, orders in promises.items() if orders}
