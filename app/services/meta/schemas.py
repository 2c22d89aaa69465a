"""The fields of a schema as its JSON schema has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel

from app.models.kernel.access import Right
from app.models.kernel.code_lists import CODE_LISTS, CodesOf
from app.models.kernel.sensitive import Sensitive
from app.models.meta.entities import FieldType, JsonSchema

Mode = Literal["validation", "serialization"]
_FORMATS: Final = {each.value: each for each in FieldType}


@dataclass(frozen=True, slots=True)
class SchemaField:
    """A field of one schema; `said` has what of FieldMeta follows from its type."""

    name: str
    required: bool
    said: Mapping[str, Any]
    shown_by: Right | None


@cache
def fields_of(schema: type[BaseModel], mode: Mode) -> Mapping[str, SchemaField]:
    """By the names that requests (`validation`) or answers (`serialization`) have."""
    described = schema.model_json_schema(mode=mode)
    defs = described.get("$defs", {})
    marks = {
        field.alias or name: [*field.metadata, *_marks(field.annotation)]
        for name, field in schema.model_fields.items()
    }
    required = described.get("required", ())
    return {
        name: SchemaField(
            name,
            name in required,
            _said(part, defs, marks[name]),
            next((mark.right for mark in marks[name] if isinstance(mark, Sensitive)), None),
        )
        for name, part in described.get("properties", {}).items()
    }


def _said(part: JsonSchema, defs: JsonSchema, marks: list[Any]) -> Mapping[str, Any]:
    branches = list(_branches(part, defs))
    whole = [each for each in branches if each.get("type") != "null"]
    chosen = whole[0] if len(whole) == 1 else {}
    items = _whole(chosen["items"], defs) if chosen.get("items") else None
    codes = chosen.get("enum") or ([chosen["const"]] if "const" in chosen else None)
    return {
        "type": _type(chosen),
        "items": None if items is None else _type(items),
        "nullable": len(whole) < len(branches),
        "codes": codes and [str(code) for code in codes],
        "code_list": _code_list(codes, marks),
        "min_length": chosen.get("minLength", chosen.get("minItems")),
        "max_length": chosen.get("maxLength", chosen.get("maxItems")),
        "minimum": chosen.get("minimum"),
        "maximum": chosen.get("maximum"),
        "pattern": chosen.get("pattern"),
        "description": part.get("description"),
    }


def _marks(annotation: Any) -> Iterator[Any]:
    """What is said of the members of a union."""
    yield from getattr(annotation, "__metadata__", ())
    for each in get_args(annotation):
        yield from _marks(each)


def _branches(part: JsonSchema, defs: JsonSchema) -> Iterator[JsonSchema]:
    """What the value may be: of a union each of its members."""
    part = _resolved(part, defs)
    if "anyOf" in part:
        for each in part["anyOf"]:
            yield from _branches(each, defs)
    else:
        yield part


def _whole(part: JsonSchema, defs: JsonSchema) -> JsonSchema:
    """The one thing that it is; nothing where it may be several."""
    found = list(_branches(part, defs))
    return found[0] if len(found) == 1 else {}


def _resolved(part: JsonSchema, defs: JsonSchema) -> JsonSchema:
    if "$ref" not in part:
        return part
    found: JsonSchema = defs[part["$ref"].rsplit("/", 1)[-1]]
    return found


def _type(part: JsonSchema) -> FieldType:
    of_format = _FORMATS.get(part.get("format", ""))
    return of_format or _FORMATS.get(part.get("type", ""), FieldType.any)


def _code_list(codes: list[Any] | None, marks: list[Any]) -> str | None:
    """The published list that has these codes."""
    named = next((mark.name for mark in marks if isinstance(mark, CodesOf)), None)
    if named is None and codes is not None:
        known = {name: {item.code for item in each.items} for name, each in CODE_LISTS.items()}
        named = next((name for name, of in known.items() if of == set(codes)), None)
    return named and "/v1/code-lists"
