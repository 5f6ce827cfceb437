"""A chat model that says what the test has written, for handlers that ask one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

ToolCalls = Sequence[tuple[str, Mapping[str, Any]]]
"""Tools that the model asks for at once, each with its arguments."""

Turn = str | ToolCalls | BaseException
"""What the model says next: an answer, or tools. An error is raised once, in front of the turn that
comes behind it."""


class ScriptedModel:
    """Plays back the turns of a chat model; it stands in for the function that asks one.

    ``durable.stub(ask_model, side_effect=ScriptedModel([...]))``. It is asked with the messages of
    a conversation, and says the turn that this one has come to, by what the assistant has said in
    it: asked again after a crash, it says the same, and its tool calls have other ids, as those of
    a real model would.

    Args:
        turns: The turns of a conversation.

    Attributes:
        asked: How often the model was asked for each turn, from 0.
        conversations: The messages that it was asked with.
    """

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._turns: list[str | ToolCalls] = []
        self._errors: dict[int, list[BaseException]] = {}
        for turn in turns:
            if isinstance(turn, BaseException):
                self._errors.setdefault(len(self._turns), []).append(turn)
            else:
                self._turns.append(turn)
        if len(self._turns) in self._errors:
            raise ValueError("an error stands in front of a turn: the last one has none behind it")
        self.asked: Counter[int] = Counter()
        self.conversations: list[list[Any]] = []

    def __call__(self, messages: Sequence[Mapping[str, Any]], *more: Any, **named: Any) -> Any:
        """The next message of the assistant, in the form of OpenAI's chat API.

        Raises:
            AssertionError: The script has no such turn.
        """
        self.conversations.append(deepcopy(list(messages)))
        number = sum(message.get("role") == "assistant" for message in messages)
        if number >= len(self._turns):
            last = dict(messages[-1]) if messages else "nothing"
            raise AssertionError(
                f"the model is asked for turn {number} of a conversation, and its script has "
                f"{len(self._turns)}; the last message is {last!r}"
            )
        self.asked[number] += 1
        errors = self._errors.get(number)
        if errors:
            raise errors.pop(0)
        turn = self._turns[number]
        if isinstance(turn, str):
            return {"role": "assistant", "content": turn}
        calls = [
            {
                "id": f"call_{number}_{self.asked[number]}_{place}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for place, (name, arguments) in enumerate(turn)
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls}
