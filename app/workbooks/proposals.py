"""Which column holds which field: by its heading, by words of it, by what its cells look like."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.spellings import Spellings
from app.text import clean, fold, nearest
from app.workbooks import column_values, heading_words, questions, schooling
from app.workbooks.column_values import cells_of, has_ids_of_others, is_word
from app.workbooks.headers import (
    WHO,
    asked_for,
    by_name,
    by_words,
    fields,
    ignored,
    in_order,
    in_other_words,
    is_another,
    key,
    said_by,
    spellings,
    spellings_of,
    texts,
)
from app.workbooks.tables import Cell, Column, Kind, Table

Why = Literal["same_name", "similar_name", "values"]

_SAME, _SIMILAR, _CORE, _ASKED, _VALUES = 100, 87, 74, 60, 50
# Beside a surname the given name, alone the whole: "Họ và tên" is the name before it.
_PART_OF_NAME: Final = frozenset({"ten", "name"})
_MOST_LABELS: Final = 20
# Levels of schooling after school are those of many things: languages, theory.
_BY_LABELS: Final = frozenset({"ethnicity", "religion", "gender", "party", "education", "kind"})
_OF_CLASSES: Final = re.compile(r"(?:lớp |lop )?[0-9]{1,2}/1[02]")
# So many cells say what a column is not.
_FEWEST: Final = 3
_OF_DIGITS: Final = frozenset({"phone", "citizen_id", "id_card", "birth_date"})
# They answer any question.
_ANSWERS: Final = frozenset({"co", "khong", "chua", "roi", "da", "phai", "khong co", "khong phai"})
_CARDS: Final = frozenset({"citizen_id", "id_card"})
_BRACKETED: Final = re.compile(r"\(([^()]*)\)")
_APART: Final = re.compile(r"[,;/(]")


@dataclass(frozen=True, slots=True)
class Proposal:
    """`column` is a `Column.index`; `score` of 100; `why` is what spoke for it."""

    column: int
    score: int
    why: Why


def propose(table: Table, kind: Kind) -> dict[str, Proposal]:
    """The best column of each field that seems to have one; each column serves one field."""
    found: list[tuple[int, int, int, str, Why]] = []
    unnamed: list[Column] = []
    for column in table.columns:
        if column.ours:
            continue
        header = column.named or column.header
        if _holds_ids_of_others(table, column, kind):
            continue
        if _is_left_out(kind, header):
            if _has_name_in_brackets(kind, header):
                unnamed.append(column)
            continue
        matches: list[_Match] = []
        if not _is_of_others(kind, header):
            ways = (_matches(kind, texts(header)), _asked(kind, header), _said_again(kind, header))
            matches = next((said for way in ways if (said := list(way))), [])
            matches = [each for each in matches if _may_hold(table, column, kind, each)]
        found += [(-score, place, column.index, field, why) for score, place, field, why in matches]
        if not matches:
            unnamed.append(column)
    proposals: dict[str, Proposal] = {}
    used: set[int] = set()
    name = min((each[:3] for each in found if each[3] in WHO), default=(0, 0, 0))[2]
    # Of equal columns the first behind her name: what stands before it may be somebody else's.
    # A column that holds nothing yields to any other.
    empty = {column.index for column in table.columns if not cells_of(table, column.index)}
    found.sort(key=lambda each: (each[2] in empty, *each[:2], each[2] < name, *each[2:]))
    for minus, _, index, field, why in found:
        if field not in proposals and index not in used:
            proposals[field] = Proposal(index, -minus, why)
            used.add(index)
    _add_guesses(proposals, table, kind, unnamed)
    _find_branches_in_addresses(proposals, table, kind)
    _find_levels(proposals, table, kind)
    return _names_apart(proposals, table, kind)


def _may_hold(table: Table, column: Column, kind: Kind, match: "_Match") -> bool:
    """Whether the cells allow what the heading says: a column of ids holds one, and one that is only
    called alike holds a value of its list."""
    spec, why = fields(kind)[match[2]], match[3]
    if spec.type == "uuid" and has_ids_of_others(table, column.index):
        return False
    if spec.type == "levels" and not schooling.are_levels(cells_of(table, column.index), kind):
        return False
    if spec.type in _OF_DIGITS and not _any_digit(cells_of(table, column.index)):
        return False
    if why == "same_name":
        return True
    if spec.field == "branch" and column_values.are_letters(cells_of(table, column.index)):
        return False
    if spec.list is None:
        return True
    spelled = spellings_of(kind, spec.list)
    texts_ = [clean(str(cell)) for cell in cells_of(table, column.index)]
    return not texts_ or any(_is_said(spelled, spec.list, text) for text in texts_)


def _any_digit(cells: Sequence[Cell]) -> bool:
    """Whether one of several has a digit: "DT" over "Kinh" is no phone. A failed formula says nothing."""
    said = [text for cell in cells if not (text := str(cell)).startswith("#")]
    return len(said) < _FEWEST or any(any(map(str.isdigit, text)) for text in said)


def _is_said(spelled: Spellings, name: str, text: str) -> bool:
    """Whether it is of the list, or an answer or a mark."""
    return (
        spelled.find(text) is not None
        or fold(text) in _ANSWERS
        or len(text) == 1
        or (name == "education" and any(map(str.isdigit, text)))
    )


def _add_guesses(
    proposals: dict[str, Proposal], table: Table, kind: Kind, unnamed: list[Column]
) -> None:
    """What columns without a name of ours are, by words of their headings and by their cells."""
    known = fields(kind)
    for guesses in (_of_herself, _held, _by_values):
        for field, column in guesses(proposals, table, kind, unnamed):
            if field in known and field not in said_by(proposals.keys()) and column in unnamed:
                proposals[field] = Proposal(column.index, _VALUES, "values")
                unnamed.remove(column)


def _find_branches_in_addresses(proposals: dict[str, Proposal], table: Table, kind: Kind) -> None:
    """Addresses that say the branch and nothing else, as their heading does: "Nơi ở (khu)"."""
    address = proposals.get("address")
    is_told = not proposals.keys().isdisjoint({"branch", "branch_id"})
    if address is None or "branch" not in fields(kind) or is_told:
        return
    [header] = [each.header for each in table.columns if each.index == address.column]
    held = heading_words.held_in(
        key(header), (n for n, f in by_name(kind).items() if f == "branch")
    )
    if held and column_values.are_bare_branches(cells_of(table, address.column)):
        del proposals["address"]
        proposals["branch"] = Proposal(address.column, _VALUES, "values")


def _find_levels(proposals: dict[str, Proposal], table: Table, kind: Kind) -> None:
    """One column of schooling or qualification that says both; none beside columns of their own."""
    own = {"education", "qualification"} & proposals.keys()
    if own:
        proposals.pop("levels", None)
    if len(own) != 1 or "levels" not in fields(kind):
        return
    column = proposals[name := own.pop()].column
    if schooling.says_both(cells_of(table, column), kind):
        del proposals[name]
        proposals["levels"] = Proposal(column, _VALUES, "values")


_Guesses = Iterator[tuple[str, Column]]


def _of_herself(
    proposals: Mapping[str, Proposal], table: Table, kind: Kind, unnamed: list[Column]
) -> _Guesses:
    """In a list of couples the wife, where nobody else is named as the one it is of."""
    headed = {each.index: each.header for each in table.columns}
    name = proposals.get("full_name")
    hers = name is not None and heading_words.is_of_herself(headed[name.column])
    of_couples = any(map(_names_the_husband, headed.values()))
    if "full_name" in said_by(proposals.keys()) and not (hers or of_couples):
        return
    for column in list(unnamed):
        if not heading_words.is_of_herself(column.header):
            continue
        for text in texts(column.named or column.header).values():
            if field := in_other_words(kind, text, herself=True):
                yield field, column
                break


def _names_the_husband(header: str) -> bool:
    return "chồng" in header.casefold()


def _held(_: Mapping[str, Proposal], table: Table, kind: Kind, unnamed: list[Column]) -> _Guesses:
    """Columns whose heading holds a name among other words, where their cells are like that."""
    named = by_name(kind)
    for column in list(unnamed):
        header = column.named or column.header
        # "Nghề nghiệp, nơi làm việc" is of the first before all.
        first = _APART.split(header, maxsplit=1)[0]
        text = first if _is_of_something_else(header) else header
        field = None if _is_of_something_else(text) else heading_words.held_in(key(text), named)
        looks = column_values.UNDER_ITS_NAME.get(named.get(field or "", ""))
        if field and looks and looks(cells_of(table, column.index)):
            yield named[field], column


def _by_values(
    _: Mapping[str, Proposal], table: Table, kind: Kind, unnamed: list[Column]
) -> _Guesses:
    """Columns of values that are of one field alone, if only one column is like that."""
    for field, looks in column_values.ALONE.items():
        like = [
            column
            for column in unnamed
            if not _is_of_something_else(_named_person(column.header, field))
            and looks(cells_of(table, column.index))
        ]
        if len(like) == 1:
            yield field, like[0]
    for column in list(unnamed):
        if not _is_of_something_else(column.header):
            field_ = _of_labels(kind, cells_of(table, column.index))
            if field_ is not None:
                yield field_, column


def _named_person(header: str, field: str) -> str:
    """Of a column of names "Người tham dự" is the person herself."""
    return heading_words.left_of(header) if field == "full_name" else header


def _of_labels(kind: Kind, cells: Sequence[Cell]) -> str | None:
    """The field whose list has all these values, some of which no other list has."""
    values = {clean(cell) for cell in cells if isinstance(cell, str)}
    lists = {spec.field: spec.list for spec in fields(kind).values() if spec.list}
    known = {
        field: {each for each in values if _is_label(kind, name, each)}
        for field, name in lists.items()
    }
    for field, found in known.items():
        others = set().union(*(each for other, each in known.items() if other != field))
        is_certain = found == values and any(fold(each) not in _ANSWERS for each in found - others)
        if field in _BY_LABELS and is_certain and len(values) <= _MOST_LABELS:
            return field
    return None


def _is_label(kind: Kind, name: str, text: str) -> bool:
    """Whether it is of the list; of schooling the classes too, as "9/12"."""
    of_classes = name == "education" and _OF_CLASSES.fullmatch(text.casefold())
    return bool(of_classes) or spellings_of(kind, name).find(text) is not None


def _is_of_something_else(header: str) -> bool:
    return (
        questions.names_others(header)
        or questions.names_else(header)
        or heading_words.is_of_else(header)
    )


_Match = tuple[int, int, str, Why]


def _matches(kind: Kind, told: Mapping[str, str]) -> Iterable[_Match]:
    named, ordered = by_name(kind), by_words(kind)
    for place, (each, text) in enumerate(told.items()):
        if is_another(kind, each, text):
            continue
        if field := named.get(each):
            yield _SAME - place - (each in _PART_OF_NAME), place, field, "same_name"
        elif field := ordered.get(in_order(each)):
            yield _SIMILAR - place, place, field, "similar_name"
        elif field := in_other_words(kind, text):
            yield _CORE - place, place, field, "similar_name"
    if not any(each in named for each in told):
        for place, each in enumerate(told):
            best = nearest(each, named.keys(), _SIMILAR if len(each) > 4 else 100)
            if best:
                yield int(best[1]) - 10, place, named[best[0]], "similar_name"


def _is_left_out(kind: Kind, header: str) -> bool:
    """Whether no field is ever read from it: itself, or under any heading ("Hội viên / Số TT")."""
    told = (*spellings(header)[:2], *spellings(header.rpartition(" / ")[2])[:2])
    return not ignored(kind).isdisjoint(told)


def _has_name_in_brackets(kind: Kind, header: str) -> bool:
    """As in "Tuổi (năm sinh)"."""
    return any(key(each) in by_name(kind) for each in _BRACKETED.findall(header))


def _is_of_others(kind: Kind, header: str) -> bool:
    """In a list of people: whether it stands under the heading of somebody else ("Chủ hộ / Năm sinh")."""
    group, apart, _ = header.partition(" / ")
    return bool(apart) and "full_name" in fields(kind) and questions.names_others(group)


def ids_of_others(table: Table, kind: Kind) -> list[Column]:
    """The columns that are called as our ids are, and hold those of another program."""
    return [each for each in table.columns if _holds_ids_of_others(table, each, kind)]


def _holds_ids_of_others(table: Table, column: Column, kind: Kind) -> bool:
    named, texts = by_name(kind), spellings(column.named or column.header)
    field = next((named[each] for each in texts if each in named), None)
    is_id = field is not None and fields(kind)[field].type == "uuid"
    return is_id and has_ids_of_others(table, column.index)


def _asked(kind: Kind, header: str) -> Iterable[_Match]:
    """The field that a long question asks for ("Chị sinh năm nào?")."""
    if field := asked_for(kind, header):
        yield _ASKED, 0, field, "similar_name"


def _said_again(kind: Kind, header: str) -> Iterator[_Match]:
    """The field that each part of a heading names, or the old and the new card: "CCCD/ CMND/ Mã định
    danh"."""
    named = by_name(kind)
    said = {named.get(key(part)) for part in header.split("/")}
    if "/" in header and (len(said) == 1 or said == _CARDS):
        field = "citizen_id" if said == _CARDS else said.pop()
        if field is not None:
            yield _CORE, 0, field, "similar_name"


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
