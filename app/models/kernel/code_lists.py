"""Published code lists: what a coded field may hold, in both languages, with what else people write."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from app.data_files import DATA, load
from app.models.base import Output
from app.spellings import Entry, Spellings
from app.text import fold

_FOLDER = DATA / "code_lists"


class Code(Output):
    """`aliases` are other spellings that are understood when sent instead of the code."""

    code: str
    vi: str
    en: str
    aliases: list[str]


class CodeList(Output):
    """One list, named after the field it is for; `source` is the decision or standard it follows.

    It holds from `valid_from` to `valid_to`, both inclusive; null where no document gives a day.
    `before` are words that may stand before a name when it is sent instead of the code.
    """

    name: str
    version: str
    source: str
    valid_from: date | None
    valid_to: date | None
    before: list[str]
    items: list[Code]


class CodeLists(Output):
    items: list[CodeList]


@dataclass(frozen=True, slots=True)
class CodesOf:
    """Says of a text that it is a code of this list."""

    name: str


def _loaded(name: str) -> CodeList:
    return CodeList.model_validate(load(_FOLDER / f"{name}.json"))


CODE_LISTS = {
    "ethnicity": _loaded("ethnic_groups"),
    "religion": _loaded("religions"),
    "gender": _loaded("genders"),
    "kind": _loaded("member_kinds"),
    "status": _loaded("member_statuses"),
    "party": _loaded("party_statuses"),
    "education": _loaded("education_levels"),
    "qualification": _loaded("qualifications"),
    "departure_reason": _loaded("departure_reasons"),
    "event_kind": _loaded("event_kinds"),
}
ETHNIC_GROUPS = CODE_LISTS["ethnicity"]


def _spellings(listed: CodeList) -> Spellings:
    return Spellings(
        (
            Entry(item.code, (item.code, item.vi, item.en), tuple(item.aliases))
            for item in listed.items
        ),
        before=listed.before,
    )


_ETHNIC_GROUPS = _spellings(ETHNIC_GROUPS)
_RELIGIONS = _spellings(CODE_LISTS["religion"])


def _ethnicity(value: Any) -> Any:
    """A code of the 2008 list, or a name or alias of a group on it."""
    if not isinstance(value, str):
        return value
    found = _ETHNIC_GROUPS.find(value)
    if found is None:
        raise ValueError("ethnicity_unknown")
    return found


def code_of_religion(value: Any) -> Any:
    """A code of the list, or one of its names; what is neither stays for the enum to refuse."""
    return _RELIGIONS.find(value) or value if isinstance(value, str) else value


# Decision 1019/QĐ-TCTK (2008): 01 Kinh ... 54 Ơ Đu, 55 foreign. Not the list of 1979, whose 06
# is Mường.
EthnicityCode = Annotated[
    str,
    Field(
        max_length=60,
        description="Code of the 2008 list of ethnic groups; a name (Mường) is understood too.",
        examples=["01"],
    ),
    BeforeValidator(_ethnicity),
    CodesOf("ethnicity"),
]

_KINDS = {
    fold(spelling): item.code
    for item in CODE_LISTS["event_kind"].items
    for spelling in (item.code, item.vi, item.en, *item.aliases)
}


def _event_kind(value: Any) -> Any:
    """A code of the list, or one of its names."""
    if not isinstance(value, str):
        return value
    found = _KINDS.get(fold(value))
    if found is None:
        raise ValueError("event_kind_unknown")
    return found


EventKind = Annotated[
    str,
    Field(
        max_length=60,
        description="Code of the list `event_kind`; a name (Sinh hoạt định kỳ) is understood too.",
        examples=["meeting"],
    ),
    BeforeValidator(_event_kind),
    CodesOf("event_kind"),
]
