"""Refusals (RFC 9457): a rule that refuses raises `Problem("code", ...)`.

Clients branch on `code`, people read `detail`. The texts are data: see app/problem_texts.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from app import problem_texts
from app.problem_texts import BadTexts, FieldText, Language, ProblemText, Text

_T = TypeVar("_T")
Place = Literal["body", "query", "path", "header"]

FOLDER = Path(__file__).parent / "data" / "problems"
# By code; `install` fills them when the server starts.
PROBLEMS: dict[str, ProblemText] = {}
FIELD_ERRORS: dict[str, FieldText] = {}


def install(files: Iterable[Path]) -> None:
    """Takes the texts of these files in place of all others; `BadTexts` names a wrong file."""
    texts = problem_texts.together(files)
    PROBLEMS.clear()
    PROBLEMS.update(texts.problems)
    FIELD_ERRORS.clear()
    FIELD_ERRORS.update(texts.fields)


_WORDS_VI = {
    "central": "trung ương",
    "province": "tỉnh",
    "district": "huyện",
    "commune": "xã",
    "branch": "chi hội",
    "group": "tổ",
    "invited": "đã mời",
    "transferring": "đang chuyển sinh hoạt",
    "left": "đã rời Hội",
    "deceased": "đã qua đời",
    "requested": "đã được đề nghị",
    "consented": "đã được nơi đi đồng ý",
    "accepted": "đã được nơi đến tiếp nhận",
    "refused": "đã bị từ chối",
    "cancelled": "đã huỷ",
    "active": "đang hoạt động",
    "disabled": "đã khoá",
    "pending": "đang chờ",
    "given": "là đồng ý",
    "withdrawn": "đã rút",
    "superseded": "đã có câu trả lời mới hơn",
    "received": "mới tiếp nhận",
    "acknowledged": "đã xác nhận",
    "extended": "đã gia hạn",
    "done": "đã xong",
    "proposed": "mới đề xuất",
    "approved": "đã duyệt",
    "open": "đang chờ xem xét",
    "distinct": "đã xác nhận là hai người",
    "merged": "đã gộp",
    "stored": "đã có tên",
    "annulled": "đã huỷ",
    "draft": "còn là bản nháp",
    "announced": "đã công bố",
    "planned": "chưa diễn ra",
    "held": "đã diễn ra",
    "closed": "đã khép lại",
    "chair": "Chủ tịch",
    "vice_chair": "Phó Chủ tịch",
    "standing_member": "Uỷ viên Ban Thường vụ",
    "committee_member": "Uỷ viên Ban Chấp hành",
    "branch_head": "Chi hội trưởng",
    "branch_deputy": "Chi hội phó",
    "team_head": "Tổ trưởng",
    "team_deputy": "Tổ phó",
    "staff": "Cán bộ chuyên môn",
    "person": "cá nhân",
    "client": "phần mềm",
}


# What holds one of our words; all else (the name of a unit) is told as it is.
_WORDED = ("level", "parent_level", "expected", "status", "kind", "post")


def _said(text: Text, params: Mapping[str, Any], language: Language) -> str:
    """A date is written whole unless its field says otherwise."""
    told = {"form": "2024-05-17"} | dict(params)
    if language == "vi":
        worded = {name: told[name] for name in _WORDED if name in told}
        told |= {name: _WORDS_VI.get(str(value), value) for name, value in worded.items()}
    return text[language].format_map(told)


def _installed(texts: Mapping[str, _T], code: str) -> _T:
    try:
        return texts[code]
    except KeyError:
        raise BadTexts(f"no file of texts is installed that has {code}") from None


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field. `pointer` is a JSON pointer (RFC 6901) into `place`."""

    place: Place
    pointer: str
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def render(self, language: Language) -> dict[str, str]:
        where = {"in": self.place, "pointer": self.pointer, "code": self.code}
        return where | field_text(self.code, self.params, language)


def field_text(code: str, params: Mapping[str, Any], language: Language) -> dict[str, str]:
    """`detail`, and `hint` where there is one."""
    text = _installed(FIELD_ERRORS, code)
    said = {"detail": _said(text.detail, params, language)}
    if text.hint is not None:
        said["hint"] = _said(text.hint, params, language)
    return said


class Problem(Exception):
    """A refusal that the client is told about. `extra` adds members to the answer."""

    def __init__(
        self,
        code: str,
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


def invalid(code: str, pointer: str, *, place: Place = "body", **params: Any) -> Problem:
    """422 for one field that the rules (not its type) refuse."""
    return Problem("validation_failed", errors=[FieldError(place, pointer, code, params)], count=1)


def not_found() -> Problem:
    return Problem("not_found")


# -- what pydantic says, in our codes

_PLACES: Mapping[str, Place] = {
    "body": "body",
    "query": "query",
    "path": "path",
    "header": "header",
}

# pydantic's error types -> our stable codes, with the parameter names of its context.
_TYPES: Mapping[str, str] = {
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


def field_error(item: Mapping[str, Any]) -> FieldError:
    """What pydantic says of one value (an item of `errors()`), its location begun by its place."""
    location: Sequence[Any] = item["loc"]
    place = _PLACES.get(str(location[0]), "body")
    context: Mapping[str, Any] = item.get("ctx") or {}
    code = _TYPES.get(item["type"], "invalid")
    if item["type"] == "value_error":
        code = _own_code(item, context)
    elif item.get("input", ...) is None and code not in ("required", "unknown_field"):
        code = "not_null"
    params = {
        "min": context.get("min_length", context.get("ge", context.get("gt"))),
        "max": context.get("max_length", context.get("le", context.get("lt"))),
        "expected": _listed(context.get("expected")),
    }
    if location[-1] == "birth_date":
        params["form"] = "1968; 1968-05; 1968-05-17"
    return FieldError(place, pointer(_named(location[1:])), code, params)


def _listed(expected: Any) -> str | None:
    """pydantic writes 'a', 'b' or 'c'; a list of values reads the same in every language."""
    return None if expected is None else str(expected).replace(" or ", ", ").replace("'", "")


def _own_code(item: Mapping[str, Any], context: Mapping[str, Any]) -> str:
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
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
