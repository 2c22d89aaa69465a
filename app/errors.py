"""Refusals (RFC 9457): a rule that refuses raises `Problem("code", ...)`.

Clients branch on `code`, people read `detail`. The texts are data: see app/problem_texts.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from app import problem_texts
from app.problem_texts import (
    BadTexts,
    FieldCode,
    FieldText,
    HintCode,
    Language,
    ProblemCode,
    ProblemText,
    Text,
    Words,
    sentence,
)

_T = TypeVar("_T")
Place = Literal["body", "query", "path", "header"]

FOLDER = Path(__file__).parent / "data" / "problems"
# By code, and words by the name of their enum; `install` fills them when the server starts.
PROBLEMS: dict[str, ProblemText] = {}
FIELD_ERRORS: dict[str, FieldText] = {}
HINTS: dict[str, Text] = {}
WORDS: dict[str, Words] = {}


def install(files: Iterable[Path]) -> None:
    """Takes the texts of these files in place of all others; `BadTexts` names a wrong file."""
    texts = problem_texts.together(files)
    PROBLEMS.clear()
    PROBLEMS.update(texts.problems)
    FIELD_ERRORS.clear()
    FIELD_ERRORS.update(texts.fields)
    HINTS.clear()
    HINTS.update(texts.hints)
    WORDS.clear()
    WORDS.update(texts.words)


def _said(text: Text, params: Mapping[str, Any], language: Language) -> str:
    """A date is rendered in full unless its placeholder has a format."""
    return sentence(text[language], {"form": "2024-05-17"} | dict(params), WORDS, language)


def _installed(texts: Mapping[str, _T], code: str) -> _T:
    try:
        return texts[code]
    except KeyError:
        raise BadTexts(f"no file of texts is installed that has {code}") from None


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field.

    `pointer` is a JSON pointer (RFC 6901) into `place`; `allowed` are the values it may have, for
    programs. `hint` replaces the usual one.
    """

    place: Place
    pointer: str
    code: FieldCode
    params: Mapping[str, Any] = field(default_factory=dict)
    allowed: Sequence[str] = ()
    hint: HintCode | None = None

    def render(self, language: Language) -> dict[str, Any]:
        body: dict[str, Any] = {"in": self.place, "pointer": self.pointer, "code": self.code}
        body |= field_text(self.code, self.params, language)
        if self.hint is not None:
            body["hint"] = _said(_installed(HINTS, self.hint), {}, language)
        return body | {"allowed": [*self.allowed]} if self.allowed else body


def field_text(code: FieldCode, params: Mapping[str, Any], language: Language) -> dict[str, str]:
    """`detail`, and `hint` where there is one."""
    text = _installed(FIELD_ERRORS, code)
    said = {"detail": _said(text.detail, params, language)}
    if text.hint is not None:
        said["hint"] = _said(text.hint, params, language)
    return said


_SECONDS = 30


class Problem(Exception):
    """A refusal that is sent to the client. `extra` adds members to the problem document."""

    def __init__(
        self,
        code: ProblemCode,
        *,
        errors: Iterable[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        self.params = params

    @property
    def status(self) -> int:
        return _installed(PROBLEMS, self.code).status

    @property
    def passes(self) -> bool:
        """What stands in the way is gone in seconds: who works without a person waits for it."""
        wait: float | None = self.params.get("retry_after")
        return wait is not None and wait <= _SECONDS

    def render(self, *, language: Language, instance: str, request_id: str) -> dict[str, Any]:
        text = _installed(PROBLEMS, self.code)
        body: dict[str, Any] = {
            "type": f"urn:hoiso:problem:{self.code}",
            "title": text.title[language],
            "status": text.status,
            "detail": _said(text.detail, self.params, language),
            "code": self.code,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [error.render(language) for error in self.errors]
        return body | self.extra


def invalid(
    code: FieldCode,
    pointer: str,
    *,
    place: Place = "body",
    allowed: Sequence[str] = (),
    **params: Any,
) -> Problem:
    """422 for one field that the rules (not its type) refuse."""
    error = FieldError(place, pointer, code, params, allowed)
    return Problem("validation_failed", errors=[error], count=1)


def not_found() -> Problem:
    return Problem("not_found")


def malformed(reason: str) -> Problem:
    """400; the reason, mostly a parser's, is for programmers."""
    return Problem("malformed_request", extra={"reason": reason})


# -- pydantic's errors as our codes

_PLACES: Mapping[str, Place] = {
    "body": "body",
    "query": "query",
    "path": "path",
    "header": "header",
}

# pydantic's error types -> our stable codes, with the parameter names of its context.
_TYPES: Mapping[str, FieldCode] = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "greater_than_equal": "too_small",
    "greater_than": "too_small",
    "less_than_equal": "too_large",
    "less_than": "too_large",
    "enum": "not_in_list",
    "literal_error": "not_in_list",
    "string_pattern_mismatch": "wrong_format",
    "string_unicode": "text_invalid",
    "uuid_parsing": "id_invalid",
    "uuid_type": "id_invalid",
    "int_parsing": "wrong_type",
    "int_type": "wrong_type",
    "int_from_float": "wrong_type",
    "finite_number": "wrong_type",
    "int_parsing_size": "too_large",
    "bool_parsing": "wrong_type",
    "bool_type": "wrong_type",
    "string_type": "wrong_type",
    "list_type": "wrong_type",
    "dict_type": "wrong_type",
    "model_type": "wrong_type",
    "model_attributes_type": "wrong_type",
    "date_from_datetime_parsing": "date_invalid",
    "date_parsing": "date_invalid",
    "date_type": "date_invalid",
    "date_from_datetime_inexact": "date_invalid",
}


# Days of which only the year or the month may be known.
_PARTIAL_DATES = frozenset({"birth_date", "joined_on", "party_joined_on"})


def field_error(
    item: Mapping[str, Any], elsewhere: Mapping[str, HintCode] | None = None
) -> FieldError:
    """One of pydantic's `errors()` as our field error; its location is prefixed with `place`.

    `elsewhere`: hints for fields that the body does not have.
    """
    location: Sequence[Any] = item["loc"]
    place = _PLACES.get(str(location[0]), "body")
    context: Mapping[str, Any] = item.get("ctx") or {}
    code: FieldCode = _TYPES.get(item["type"], "invalid")
    if item["type"] == "value_error":
        code = _own_code(item, context)
    elif item.get("input", ...) is None and code not in ("required", "unknown_field"):
        code = "not_null"
    params = {
        "min": context.get("min_length", context.get("ge", context.get("gt"))),
        "max": context.get("max_length", context.get("le", context.get("lt"))),
    }
    if location[-1] in _PARTIAL_DATES:
        params["form"] = "1968; 1968-05; 1968-05-17"
    hint: HintCode | None = None
    if code == "unknown_field" and elsewhere and place == "body" and len(location) == 2:
        hint = elsewhere.get(location[1])
    allowed = _listed(context.get("expected"))
    return FieldError(place, pointer(_named(location[1:])), code, params, allowed, hint)


def unreadable(found: Sequence[Mapping[str, Any]], *place: str | int) -> "Problem":
    """What pydantic found wrong at a place of a body."""
    errors = [field_error({**each, "loc": ("body", *place, *each["loc"])}) for each in found[:10]]
    return Problem("validation_failed", errors=errors, count=len(found))


def _listed(expected: Any) -> list[str]:
    """pydantic writes 'a', 'b' or 'c'."""
    return str(expected).replace(" or ", ", ").replace("'", "").split(", ") if expected else []


def _own_code(item: Mapping[str, Any], context: Mapping[str, Any]) -> FieldCode:
    """Our validators raise ValueError(code); e-mail validation is a library's."""
    code = str(context.get("error", ""))
    if code in FIELD_ERRORS:
        return code
    return "email_invalid" if "email" in str(item.get("msg", "")) else "invalid"


def _named(location: Iterable[Any]) -> list[Any]:
    """pydantic adds the names of its union branches to a location; a pointer has none of them."""
    return [
        part
        for part in location
        if not (isinstance(part, str) and ("[" in part or ("-" in part and "(" in part)))
    ]


def pointer(parts: Iterable[Any]) -> str:
    """RFC 6901: ("grants", 0, "unit_id") -> /grants/0/unit_id."""
    text = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    # A key may be no text that an answer can hold.
    return text.encode(errors="replace").decode()
