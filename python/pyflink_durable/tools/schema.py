"""What a function takes: read from its signature, told to models, checked before a call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from docstring_parser import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json

from pyflink_durable.context import RunnerContext
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.tools.errors import InvalidArguments

_SHOWN_CHARACTERS = 100


class _Documentation(NamedTuple):
    """What a docstring says of a function and of each of its parameters."""

    description: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, func: Callable[..., Any]) -> _Documentation:
        parsed = parse(inspect.getdoc(func) or "")
        parts = [parsed.short_description, parsed.long_description]
        parameters = {one.arg_name: one.description or "" for one in parsed.params}
        return cls("\n\n".join(part for part in parts if part), parameters)


class _SchemaForModels(GenerateJsonSchema):
    """Leaves out the titles, which only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True)
class FunctionSchema:
    """What a function takes.

    Attributes:
        description: What its docstring says it does.
        parameters: The JSON schema of its arguments, without the context.
    """

    description: str
    parameters: dict[str, Any]
    _model: type[BaseModel]
    _signature: inspect.Signature
    _context_parameter: str | None

    @property
    def takes_context(self) -> bool:
        """Whether the function has a parameter of type `RunnerContext`."""
        return self._context_parameter is not None

    @classmethod
    def of(cls, func: Callable[..., Any], name: str) -> FunctionSchema:
        """Reads the signature and the docstring of a function.

        Args:
            func: The function.
            name: What to call it in errors.

        Raises:
            ConfigurationError: A parameter has no type, or one that JSON cannot carry.
        """
        signature, types = _signature_of(func, name)
        documentation = _Documentation.of(func)
        contexts = [one for one in signature.parameters if _is_context(types.get(one))]
        if len(contexts) > 1:
            raise ConfigurationError(f"tool {name} takes the context twice: {contexts}")
        # Under names of their own: an argument may be called as a method of pydantic's models is.
        fields: dict[str, Any] = {
            f"argument_{place}": (types[one], _field(parameter, types[one], documentation))
            for place, (one, parameter) in enumerate(signature.parameters.items())
            if one not in contexts
        }
        try:
            model = create_model(f"{name}_arguments", __config__=_STRICTLY_NAMED, **fields)
            schema = model.model_json_schema(schema_generator=_SchemaForModels)
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema) as error:
            raise ConfigurationError(
                f"tool {name} has a parameter that JSON cannot carry: {_first_line(error)}. Take "
                "numbers, strings, lists, dicts, enums, dataclasses or pydantic models"
            ) from error
        parameters = {"type": "object", "properties": {}} | schema
        del parameters["title"]
        context = contexts[0] if contexts else None
        return cls(documentation.description, parameters, model, signature, context)

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


_STRICTLY_NAMED = ConfigDict(extra="forbid")


def _signature_of(
    func: Callable[..., Any], name: str
) -> tuple[inspect.Signature, Mapping[str, Any]]:
    signature = inspect.signature(func)
    typed = func if inspect.isroutine(func) or inspect.isclass(func) else type(func).__call__
    try:
        types = get_type_hints(typed, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"tool {name} has a type that cannot be found: {error}. Define or import it at the "
            "top of the module, not in a function or under TYPE_CHECKING"
        ) from error
    for one, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigurationError(
                f"tool {name} takes {parameter}: a model needs to know each argument by its name"
            )
        if one not in types:
            raise ConfigurationError(
                f"parameter {one!r} of tool {name} has no type: write `{one}: str`, for example. "
                "Of a method, make a tool when its object is there: tool(self.search)"
            )
    return signature, types


def _is_context(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return inspect.isclass(annotation) and issubclass(annotation, RunnerContext)


def _field(parameter: inspect.Parameter, annotation: Any, documentation: _Documentation) -> Any:
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
