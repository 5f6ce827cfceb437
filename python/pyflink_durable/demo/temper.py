"""How slow and how unreliable the payment service is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Decision = Literal["charge", "refuse", "lose the answer"]


@dataclass(frozen=True)
class Temper:
    """How slow and how unreliable the service is; times are in seconds, odds from 0 to 1."""

    seed: int = 0
    fastest: float = 0.020
    slowest: float = 0.080
    refuses: float = 0.05
    loses_answers: float = 0.02
    lost_answer_delay: float = 0.25

    def decide(self, order: str, request: int) -> tuple[float, Decision]:
        """The delay of an order's n-th charge request, and what becomes of it.

        Drawn from what is asked, not from one shared generator: the order in which concurrent
        requests arrive differs from run to run, and the seed should fix both all the same.
        """
        draw = random.Random(f"{self.seed}/{order}/{request}")
        delay = draw.uniform(self.fastest, self.slowest)
        dice = draw.random()
        if dice < self.refuses:
            return delay, "refuse"
        if dice < self.refuses + self.loses_answers:
            return delay, "lose the answer"
        return delay, "charge"


CALM = Temper(fastest=0.0, slowest=0.0, refuses=0.0, loses_answers=0.0)
"""Answers at once and never fails."""
