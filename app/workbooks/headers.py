"""Which column holds which field: proposed from the names people give their columns.

The names are data (app/data/import_columns): those of local lists, of our export and of the API.
"""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from app.data_files import DATA, load
from app.spellings import Entry, Spellings, may_be
from app.text import fold, nearest
from app.workbooks import questions
from app.workbooks.column_values import NUMBERS, has_ids_of_others, index_like, is_word
from app.workbooks.tables import Column, Kind, Table

Why = Literal["same_name", "similar_name", "values"]

# The field that says who a row is of.
WHO: Final = ("full_name", "head_name")
FOLDER = DATA / "import_columns"
_SAME, _SIMILAR, _ASKED, _VALUES = 100, 87, 60, 50
_IN_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NOT_WORD = re.compile(r"[\W_]+")
# Beside a surname the given name, alone the whole: "Họ và tên" is the name before it.
_PART_OF_NAME = frozenset({"ten", "name"})
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
    date), `term` (2021-2026), and what identifies the holder of a post (`full_name`, `birth_date`,
    ...). `taken` is False for columns that our export writes and an import ignores (`revision`,
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


@dataclass(frozen=True, slots=True)
class Proposal:
    """`column` is a `Column.index`; `score` of 100; `why` is what spoke for it."""

    column: int
    score: int
    why: Why


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
        _by_name,
        _of_one_word,
        _by_words,
        _phrases,
        _ignored,
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
    return tuple(_texts(header))


@lru_cache(maxsize=4096)
def _texts(header: str) -> Mapping[str, str]:
    """The same, each with what is written."""
    header = _NUMBERED.sub("", header)
    parts = header.split(" / ")
    tried = (header, _IN_BRACKETS.sub(" ", header), *reversed(parts), *header.split("\n"))
    texts = {key_: text for text in reversed(tried) if (key_ := key(text))}
    return dict(reversed(texts.items()))


@lru_cache(maxsize=8)
def _by_name(kind: Kind) -> dict[str, str]:
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


def _is_another(kind: Kind, key_: str, text: str) -> bool:
    """Whether a name of one word is another word by its marks: Năm (year) is not Nam (man)."""
    names = _of_one_word(kind).get(key_, ())
    return bool(names) and not any(may_be(text, name) for name in names)


def _in_order(key_: str) -> tuple[str, ...]:
    """Its words in one order: "Vào Hội năm" is "Năm vào Hội"."""
    return tuple(sorted(key_.split()))


@lru_cache(maxsize=8)
def _by_words(kind: Kind) -> dict[tuple[str, ...], str]:
    """Field by the words of its names, but for those of one word."""
    named = _by_name(kind)
    return {_in_order(name): named[name] for name in reversed(named) if " " in name}


@lru_cache(maxsize=8)
def _phrases(kind: Kind) -> Mapping[str, str]:
    """Field by its names, as questions have them."""
    specs = fields(kind).values()
    return questions.phrases((name, s.field) for s in specs for name in (s.vi, *s.names))


@lru_cache(maxsize=8)
def _ignored(kind: Kind) -> frozenset[str]:
    return frozenset(map(key, _data(kind)["ignored"]))


@lru_cache(maxsize=1)
def _all_names() -> Mapping[str, tuple[Kind, ...]]:
    """The kinds of lists that have a column of a name, by its key."""
    named: dict[str, tuple[Kind, ...]] = {}
    for kind in _FILES:
        for name in {*_by_name(kind), *_ignored(kind)}:
            named[name] = (*named.get(name, ()), kind)
    return named


def is_name(header: str) -> bool:
    """Whether any kind of list has a column of this name."""
    names = _all_names()
    return any(
        not _is_another(kind, key_, text)
        for key_, text in _texts(header).items()
        for kind in names.get(key_, ())
    )


def is_known(header: str) -> bool:
    """Whether any kind of list has a column of this name, or that this question asks for."""
    return is_name(header) or any(questions.asked_for(header, _phrases(kind)) for kind in _FILES)


def propose(table: Table, kind: Kind) -> dict[str, Proposal]:
    """The best column of each field that seems to have one; each column serves one field."""
    found: list[tuple[int, int, int, str, Why]] = []
    unnamed: list[int] = []
    for column in table.columns:
        if column.ours:
            continue
        header = column.named or column.header
        if _is_left_out(kind, header) or _is_of_others(kind, header):
            continue
        if _holds_ids_of_others(table, column, kind):
            continue
        matches = list(_matches(kind, _texts(header))) or list(_asked(kind, header))
        found += [(-score, place, column.index, field, why) for score, place, field, why in matches]
        if not matches:
            unnamed.append(column.index)
    proposals: dict[str, Proposal] = {}
    used: set[int] = set()
    name = min((each[:3] for each in found if each[3] in WHO), default=(0, 0, 0))[2]
    # Of equal columns the first behind her name: what stands before it may be somebody else's.
    found.sort(key=lambda each: (*each[:2], each[2] < name, *each[2:]))
    for minus, _, index, field, why in found:
        if field not in proposals and index not in used:
            proposals[field] = Proposal(index, -minus, why)
            used.add(index)
    for field, pattern in NUMBERS.items():
        if field not in proposals and field in fields(kind):
            column_index = index_like(table, unnamed, pattern)
            if column_index is not None:
                proposals[field] = Proposal(column_index, _VALUES, "values")
                unnamed.remove(column_index)
    return _names_apart(proposals, table, kind)


def _matches(kind: Kind, told: Mapping[str, str]) -> Iterable[tuple[int, int, str, Why]]:
    named, ordered = _by_name(kind), _by_words(kind)
    for place, (each, text) in enumerate(told.items()):
        if _is_another(kind, each, text):
            continue
        if field := named.get(each):
            yield _SAME - place - (each in _PART_OF_NAME), place, field, "same_name"
        elif field := ordered.get(_in_order(each)):
            yield _SIMILAR - place, place, field, "similar_name"
    if not any(each in named for each in told):
        for place, each in enumerate(told):
            best = nearest(each, named.keys(), _SIMILAR if len(each) > 4 else 100)
            if best:
                yield int(best[1]) - 10, place, named[best[0]], "similar_name"


def _is_left_out(kind: Kind, header: str) -> bool:
    """Whether no field is ever read from it: itself, or under any heading ("Hội viên / Số TT")."""
    told = (*spellings(header)[:2], *spellings(header.rpartition(" / ")[2])[:2])
    return not _ignored(kind).isdisjoint(told)


def _is_of_others(kind: Kind, header: str) -> bool:
    """In a list of people: whether it stands under the heading of somebody else ("Chủ hộ / Năm sinh")."""
    group, apart, _ = header.partition(" / ")
    return bool(apart) and "full_name" in fields(kind) and questions.names_others(group)


def ids_of_others(table: Table, kind: Kind) -> list[Column]:
    """The columns that are called as our ids are, and hold those of another program."""
    return [each for each in table.columns if _holds_ids_of_others(table, each, kind)]


def _holds_ids_of_others(table: Table, column: Column, kind: Kind) -> bool:
    named, texts = _by_name(kind), spellings(column.named or column.header)
    field = next((named[each] for each in texts if each in named), None)
    is_id = field is not None and fields(kind)[field].type == "uuid"
    return is_id and has_ids_of_others(table, column.index)


def _asked(kind: Kind, header: str) -> Iterable[tuple[int, int, str, Why]]:
    """The field that a long question asks for ("Chị sinh năm nào?")."""
    if field := questions.asked_for(header, _phrases(kind)):
        yield _ASKED, 0, field, "similar_name"


def _names_apart(proposals: dict[str, Proposal], table: Table, kind: Kind) -> dict[str, Proposal]:
    """`Họ` and `Tên` side by side are one name in two columns; `Tên` alone is the whole name."""
    whole, first = proposals.get("full_name"), proposals.get("surname")
    given = proposals.get("given_name")
    named = {column.index: column.header for column in table.columns}
    if first and not given and whole:
        header = key(named[whole.column].rpartition(" / ")[2])
        if header in _PART_OF_NAME or header.endswith(" 2"):
            proposals["given_name"] = proposals.pop("full_name")
    elif given and not first and not whole and "full_name" in fields(kind):
        proposals["full_name"] = proposals.pop("given_name")
    elif whole and not first and "surname" in fields(kind):
        beside = given or _given_beside(table, whole, named)
        if beside and _under_one_heading(named[whole.column], named[beside.column]):
            proposals["surname"], proposals["given_name"] = proposals.pop("full_name"), beside
    if "full_name" in proposals:
        # Said twice; which of its words is the given name is not.
        for part in ("surname", "middle_name"):
            proposals.pop(part, None)
    return proposals


def _under_one_heading(left: str, right: str) -> bool:
    """`Họ và tên` merged over both, above parts or not; or over the left one alone."""
    return (
        not right
        or key(right) == f"{key(left)} 2"
        or (" / " in left and left.split(" / ", maxsplit=1)[0] == right.split(" / ", maxsplit=1)[0])
    )


def _given_beside(table: Table, whole: Proposal, named: Mapping[int, str]) -> Proposal | None:
    """The column at the right of the name that holds its last words, without a heading of its own."""
    right = whole.column + 1
    if right not in named or not _under_one_heading(named[whole.column], named[right]):
        return None
    rows = [row.cells for row in table.rows[:50] if row.cells[whole.column] is not None]
    fits = sum(is_word(cells[right]) for cells in rows)
    return Proposal(right, _VALUES, "values") if rows and fits * 10 >= len(rows) * 8 else None
