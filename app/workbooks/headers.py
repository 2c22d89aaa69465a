"""Which column holds which field: proposed from the names people give their columns.

The names are data (app/data/import_columns): those of local lists, of our export and of the API.
"""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from app.data_files import DATA, load
from app.spellings import Entry, Spellings, may_be
from app.text import fold
from app.workbooks import heading_words, questions
from app.workbooks.tables import Kind

# The field that says who a row is of.
WHO: Final = ("full_name", "head_name")
FOLDER = DATA / "import_columns"
_IN_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NOT_WORD = re.compile(r"[\W_]+")
# "1. Họ và tên": the number of a question.
_NUMBERED = re.compile(r"^\s*(?:câu\s+)?[0-9]{1,2}\s*[.):]\s*", re.IGNORECASE)
CODE_LISTS = {
    "ethnicity": "ethnic_groups",
    "religion": "religions",
    "gender": "genders",
    "kind": "member_kinds",
    "status": "member_statuses",
    "party": "party_statuses",
    "education": "education_levels",
    "qualification": "qualifications",
}

# The columns that say a field in parts.
NAME_PARTS: Final = ("surname", "middle_name", "given_name")
STANDS_IN: Final = {"full_name": NAME_PARTS, "birth_date": ("female", "male")}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field that a file may carry. Its name is that of the public API, but for these:

    `branch`, `commune`, `unit` (a unit by name or code, as text), `surname`, `middle_name` and
    `given_name` (a name in its parts), `female` and `male` (a column for each gender, with a tick or a birth
    date), `levels` (schooling and qualification in one), `term` (2021-2026), and what identifies the
    holder of a post (`full_name`, `birth_date`, ...). `taken` is False for columns that our export writes and an import ignores (`revision`,
    `status`). `masked` of the export names the fields that were empty because the reader may not
    see them. `identifies`: says what the row is of or where it belongs, so that the row is never
    written without it. `implies`: another field and its value, where a list without a column for it
    fills in this one.
    """

    field: str
    vi: str
    type: str
    names: tuple[str, ...]
    required: bool = False
    taken: bool = True
    list: str | None = None
    max: int | None = None
    identifies: bool = False
    implies: tuple[str, str] | None = None
    example: str | None = None
    note: str | None = None


def install(files: Mapping[Kind, Path]) -> None:
    """Know these kinds of lists, by the files that say what their columns are called."""
    _FILES.clear()
    _FILES.update(files)
    for cached in (
        _data,
        fields,
        optional,
        unit_fields,
        code_list,
        spellings_of,
        by_name,
        _of_one_word,
        by_words,
        _by_core,
        phrases,
        in_notes,
        ignored,
        _all_names,
    ):
        cached.cache_clear()


_FILES: dict[Kind, Path] = {}


def kinds() -> Iterable[Kind]:
    return _FILES.keys()


@lru_cache(maxsize=8)
def _data(kind: Kind) -> dict[str, Any]:
    data: dict[str, Any] = load(_FILES[kind])
    return data


@lru_cache(maxsize=8)
def fields(kind: Kind) -> Mapping[str, FieldSpec]:
    """The fields of a kind of list, in the order of the template."""
    specs = map(_spec, _data(kind)["fields"])
    return {spec.field: spec for spec in specs}


def _spec(item: Mapping[str, Any]) -> FieldSpec:
    pairs = {name: tuple(item[name]) for name in ("names", "implies") if name in item}
    return FieldSpec(**{**item, **pairs})


@lru_cache(maxsize=8)
def optional(kind: Kind) -> frozenset[str]:
    """The fields that a row may do without."""
    specs = fields(kind).values()
    return frozenset(each.field for each in specs if not (each.required or each.identifies))


def said_by(columns: Set[str]) -> set[str]:
    """The fields that columns of these fields say, those in parts among them."""
    return {*columns, *(whole for whole, parts in STANDS_IN.items() if columns & {*parts})}


@lru_cache(maxsize=8)
def unit_fields(kind: Kind) -> frozenset[str]:
    """The fields that name the unit a row belongs to."""
    return frozenset({"branch", "unit"}) & fields(kind).keys()


def title(kind: Kind) -> str:
    return str(_data(kind)["title"])


@lru_cache(maxsize=32)
def code_list(kind: Kind, name: str) -> tuple[tuple[str, str], ...]:
    """(code, Vietnamese label) of each entry of a list."""
    return tuple((item["code"], item["vi"]) for item in _listed(kind, name)["items"])


@lru_cache(maxsize=32)
def spellings_of(kind: Kind, name: str) -> Spellings:
    """How people write the entries of a list: its own names, and those of lists in files."""
    listed = _listed(kind, name)
    more = _data(kind).get("spellings", {}).get(name, {})
    return Spellings(
        (
            Entry(
                item["code"],
                tuple(filter(None, (item["code"], item["vi"], item.get("en")))),
                (*item["aliases"], *more.get(item["code"], ())),
            )
            for item in listed["items"]
        ),
        before=listed.get("before", ()),
    )


def _listed(kind: Kind, name: str) -> Mapping[str, Any]:
    own = _data(kind).get("lists", {}).get(name)
    if own is not None:
        return {"items": own}
    whole: dict[str, Any] = load(DATA / "code_lists" / f"{CODE_LISTS[name]}.json")
    return whole


def key(header: str) -> str:
    """A header without case, tones, punctuation and stars."""
    return _NOT_WORD.sub(" ", fold(header)).strip()


def spellings(header: str) -> tuple[str, ...]:
    """What a header may be compared by: whole, without its brackets, its last and first part."""
    return tuple(texts(header))


@lru_cache(maxsize=4096)
def texts(header: str) -> Mapping[str, str]:
    """The same, each with what is written."""
    header = _NUMBERED.sub("", header)
    parts = header.split(" / ")
    tried = (header, _IN_BRACKETS.sub(" ", header), *reversed(parts), *header.split("\n"))
    texts = {key_: text for text in reversed(tried) if (key_ := key(text))}
    return dict(reversed(texts.items()))


@lru_cache(maxsize=8)
def by_name(kind: Kind) -> dict[str, str]:
    """Field by key of its name; of two fields of one name the first."""
    named: dict[str, str] = {}
    for spec in fields(kind).values():
        for name in (spec.field, spec.vi, *spec.names):
            named.setdefault(key(name), spec.field)
    return named


@lru_cache(maxsize=8)
def _of_one_word(kind: Kind) -> Mapping[str, tuple[str, ...]]:
    """The names of one word, as they are written, by their key."""
    named: dict[str, tuple[str, ...]] = {}
    for spec in fields(kind).values():
        for name in (spec.field, spec.vi, *spec.names):
            if " " not in (key_ := key(name)):
                named[key_] = (*named.get(key_, ()), name)
    return named


def is_another(kind: Kind, key_: str, text: str) -> bool:
    """Whether a name of one word is another word by its marks: Năm (year) is not Nam (man)."""
    names = _of_one_word(kind).get(key_, ())
    return bool(names) and not any(may_be(text, name) for name in names)


def in_order(key_: str) -> tuple[str, ...]:
    """Its words in one order: "Vào Hội năm" is "Năm vào Hội"."""
    return tuple(sorted(key_.split()))


@lru_cache(maxsize=8)
def by_words(kind: Kind) -> dict[tuple[str, ...], str]:
    """Field by the words of its names, but for those of one word."""
    named = by_name(kind)
    return {in_order(name): named[name] for name in reversed(named) if " " in name}


@lru_cache(maxsize=8)
def _by_core(kind: Kind) -> Mapping[tuple[str, ...], Mapping[str, str]]:
    """The fields by the words of their names that tell one column from another; each with these
    words as they are written."""
    named: dict[tuple[str, ...], dict[str, str]] = {}
    for spec in fields(kind).values():
        for name in (spec.vi, *spec.names):
            left = heading_words.left_of(name)
            if (core := in_order(key(left))) and not heading_words.says_when_alone(left):
                named.setdefault(core, {}).setdefault(spec.field, left)
    return named


def in_other_words(kind: Kind, text: str, *, herself: bool = False) -> str | None:
    """The field of a name that stands among words which say nothing: "SĐT của hội viên"."""
    left = heading_words.left_of(text, herself=herself)
    core = in_order(key(left))
    found = _by_core(kind).get(core, {})
    if len(found) != 1:
        return None
    [(field, name)] = found.items()
    # A single word is compared with its marks.
    return field if len(core) > 1 or may_be(left, name) else None


@lru_cache(maxsize=8)
def phrases(kind: Kind) -> Mapping[str, str]:
    """Field by its names, as questions have them."""
    specs = fields(kind).values()
    return questions.phrases((name, s.field) for s in specs for name in (s.vi, *s.names))


@lru_cache(maxsize=8)
def in_notes(kind: Kind) -> Mapping[str, Mapping[str, str]]:
    """By field what a note may say of it, by its key, and the code that is meant."""
    return {
        name: {key(text): code for code, texts in said.items() for text in texts}
        for name, said in _data(kind).get("in_notes", {}).items()
    }


@lru_cache(maxsize=8)
def ignored(kind: Kind) -> frozenset[str]:
    return frozenset(map(key, _data(kind)["ignored"]))


@lru_cache(maxsize=1)
def _all_names() -> Mapping[str, tuple[Kind, ...]]:
    """The kinds of lists that have a column of a name, by its key."""
    named: dict[str, tuple[Kind, ...]] = {}
    for kind in _FILES:
        for name in {*by_name(kind), *ignored(kind)}:
            named[name] = (*named.get(name, ()), kind)
    return named


def is_name(header: str) -> bool:
    """Whether any kind of list has a column of this name, whatever words stand beside it."""
    names = _all_names()
    return any(
        not is_another(kind, key_, text)
        for key_, text in texts(header).items()
        for kind in names.get(key_, ())
    ) or any(in_other_words(kind, text) for text in texts(header).values() for kind in _FILES)


def is_known(header: str) -> bool:
    """Whether any kind of list has a column of this name, or that this question asks for."""
    return is_name(header) or any(asked_for(kind, header) for kind in _FILES)


def asked_for(kind: Kind, header: str) -> str | None:
    """The field that a long question asks for ("Chị sinh năm nào?")."""
    return questions.asked_for(header, phrases(kind))
