"""What a model asks of the tools and what they answer, in a JSON form that stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from pydantic_core import from_json, to_json

MAX_TOOL_CALL_ID = 500


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(_Event):
    """One call that a model asks for.

    Attributes:
        id: The identity of the call within its request; the key of its answer.
        name: Of the tool.
        arguments: The content of a JSON object; or the text that the model wrote, if that is none.
        external_id: The id that the model gave the call, if it is another one.
    """

    id: str = Field(min_length=1, max_length=MAX_TOOL_CALL_ID)
    name: str
    arguments: dict[str, JsonValue] | str = Field(default_factory=dict)
    external_id: str | None = None

    @field_validator("arguments", mode="before")
    @classmethod
    def _parse(cls, arguments: Any) -> Any:
        if not isinstance(arguments, str):
            return arguments
        if not arguments.strip():
            return {}  # what some models write if there are none
        try:
            content = from_json(arguments)
        except ValueError:
            return arguments
        return content if isinstance(content, dict) else arguments


class ToolRequestEvent(_Event):
    """The tool calls that a model asks for at once; their ids differ."""

    type: Literal["tool_request"] = "tool_request"
    version: Literal[1] = 1
    tool_calls: tuple[ToolCall, ...]

    @field_validator("tool_calls")
    @classmethod
    def _check_ids(cls, tool_calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        seen: set[str] = set()
        for call in tool_calls:
            if call.id in seen:
                raise ValueError(
                    f"two tool calls have the id {call.id!r}: each is answered by its id"
                )
            seen.add(call.id)
        return tool_calls

    @classmethod
    def from_openai(cls, tool_calls: Iterable[Any] | None) -> ToolRequestEvent:
        """Reads the ``tool_calls`` of a chat completion's message.

        Not every model gives ids, or different ones. A call without an id of its own gets its
        number as one, and keeps the model's as `external_id`.

        Args:
            tool_calls: Dicts, or the objects of the `openai` package.
        """
        calls: list[ToolCall] = []
        seen: set[str] = set()
        for place, item in enumerate(tool_calls or ()):
            content: Mapping[str, Any] = item if isinstance(item, Mapping) else item.model_dump()
            given = content.get("id") or None
            function = content.get("function")
            if function is None:
                raise ValueError(
                    f"tool call {given!r} is of type {content.get('type')!r}: only tools declared "
                    'as {"type": "function"} can be called'
                )
            own = given is not None and len(given) <= MAX_TOOL_CALL_ID and given not in seen
            call_id = str(given) if own else f"{_OWN_ID}{place}"
            seen.add(call_id)
            calls.append(
                ToolCall(
                    id=call_id,
                    name=function["name"],
                    arguments=function.get("arguments") or {},
                    external_id=None if own else given,
                )
            )
        return cls(tool_calls=tuple(calls))


_OWN_ID = "tool-call-number-"


class ToolResponseEvent(_Event):
    """The answers to a request; every tool call of it has one, found by its id.

    Attributes:
        responses: The results of those that succeeded.
        success: Whether it succeeded, of every tool call.
        error: What went wrong, of those that did not succeed.
        external_ids: The ids that the model gave, of every tool call; null if that is its id.
    """

    type: Literal["tool_response"] = "tool_response"
    version: Literal[1] = 1
    responses: dict[str, JsonValue]
    success: dict[str, bool]
    error: dict[str, str]
    external_ids: dict[str, str | None]

    def to_openai(self) -> list[dict[str, str]]:
        """The answers as messages with ``role: "tool"``, in the order of the request.

        A result that is text is the content as it is, any other is its JSON; a failure is a text
        that starts with ``Error:``.
        """
        return [
            {
                "role": "tool",
                "tool_call_id": self.external_ids.get(call_id) or call_id,
                "content": self._content_of(call_id),
            }
            for call_id in self.success
        ]

    def _content_of(self, call_id: str) -> str:
        if not self.success[call_id]:
            return f"Error: {self.error[call_id]}"
        response = self.responses[call_id]
        return response if isinstance(response, str) else to_json(response).decode()
