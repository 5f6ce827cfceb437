"""What a function takes: read from its signature, told to models, checked before a call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.tools.errors import InvalidArguments
from pyflink_durable.tools.signature import Documentation, context_parameter, resolved_signature

_SHOWN_CHARACTERS = 100


class _SchemaForModels(GenerateJsonSchema):
    """Leaves out the titles, which only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class FunctionSchema:
    """What a function takes.

    Args:
        name: What to call it in errors.
        signature: Its signature, with types.
        documentation: What its docstring says.

    Attributes:
        description: What its docstring says it does.
        parameters: The JSON schema of its arguments, without the context.

    Raises:
        ConfigurationError: A parameter is of a type that JSON cannot carry.
    """

    def __init__(
        self, name: str, signature: inspect.Signature, documentation: Documentation
    ) -> None:
        self._name = name
        self._signature = signature
        self._documentation = documentation
        self._context_parameter = context_parameter(signature, name)
        try:
            self._model = self._make_model()
            schema = self._model.model_json_schema(schema_generator=_SchemaForModels)
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema) as error:
            raise ConfigurationError(
                f"tool {name} has a parameter that JSON cannot carry: {_first_line(error)}. Take "
                "numbers, strings, lists, dicts, enums, dataclasses or pydantic models"
            ) from error
        del schema["title"]
        self.description = documentation.description
        self.parameters: dict[str, Any] = {"type": "object", "properties": {}} | schema

    @classmethod
    def of(cls, func: Callable[..., Any], name: str) -> FunctionSchema:
        """Reads the signature and the docstring of a function; see `resolved_signature`."""
        return cls(name, resolved_signature(func, name), Documentation.of(func))

    def __reduce__(self) -> Any:
        # With the types that were found: a function that cloudpickle writes as code takes along
        # what its code uses, and nothing that only its annotations name.
        return type(self), (self._name, self._signature, self._documentation)

    @property
    def takes_context(self) -> bool:
        """Whether the function has a parameter of type `RunnerContext`."""
        return self._context_parameter is not None

    def _make_model(self) -> type[BaseModel]:
        # under names of their own: an argument may be called as a method of pydantic's models is
        fields: dict[str, Any] = {
            f"argument_{place}": (parameter.annotation, _field(parameter, self._documentation))
            for place, parameter in enumerate(self._signature.parameters.values())
            if parameter.name != self._context_parameter
        }
        model: type[BaseModel] = create_model(
            f"{self._name}_arguments", __config__=ConfigDict(extra="forbid"), **fields
        )
        return model

    def validate(self, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Checks arguments and converts them to the types of the function.

        Args:
            arguments: The text of a JSON object, or its content.

        Returns:
            A value for each parameter but the context.

        Raises:
            InvalidArguments: They do not fit.
        """
        # always by way of JSON, so that text and content are judged by the same rules
        text = arguments if isinstance(arguments, str) else to_json(arguments)
        try:
            validated = self._model.model_validate_json(text)
        except ValidationError as error:
            raise InvalidArguments(_in_words(error)) from None
        return {
            str(info.alias): getattr(validated, field)
            for field, info in type(validated).model_fields.items()
        }

    def call(self, func: Callable[..., Any], arguments: Mapping[str, Any], context: Any) -> Any:
        """Calls the function with validated arguments, and with the context if it takes one."""
        given = dict(arguments)
        if self._context_parameter is not None:
            given[self._context_parameter] = context
        positional = [
            given.pop(name)
            for name, parameter in self._signature.parameters.items()
            if parameter.kind is parameter.POSITIONAL_ONLY
        ]
        return func(*positional, **given)


def _field(parameter: inspect.Parameter, documentation: Documentation) -> Any:
    annotation = parameter.annotation
    options: dict[str, Any] = {"alias": parameter.name}
    if parameter.default is not parameter.empty:
        options["default"] = parameter.default
    described = [one for one in get_args(annotation)[1:] if isinstance(one, str)]
    if get_origin(annotation) is Annotated and described:
        options["description"] = described[0]
    elif documentation.parameters.get(parameter.name):
        options["description"] = documentation.parameters[parameter.name]
    return Field(**options)


def _in_words(error: ValidationError) -> str:
    """Says what is wrong with each argument, so that whoever wrote them can write better ones."""
    problems = []
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] in ("missing", "json_invalid", "extra_forbidden"):
            given = ""
        else:
            given = f", not {_shown(problem['input'])}"
        problems.append(f"{place or 'arguments'}: {problem['msg']}{given}")
    return "; ".join(problems)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
