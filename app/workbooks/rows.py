"""A row of a file to the values of one record, each with the cell it came from."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from app import citizen_ids
from app.text import fold
from app.workbooks import day_columns, headers, marks, proposals, sections, values
from app.workbooks.headers import FieldSpec
from app.workbooks.tables import Cell, CellProblem, Column, Kind, Note, Row, Table
from app.workbooks.values import Options, Parsed

# Field to `Column.index`.
Places = Mapping[str, int]
_NOT_SAID: Final = frozenset(
    {"id", "revision", "status", "masked", "not_dated", "commune_id", "province_id"}
)

_OF_OLD_CARD, _OF_CITIZEN_ID = 9, 12
# What a note says beside something else.
_CLAUSES: Final = re.compile(r"[,;.()\n]|\s[-–]\s")
# By the count of its digits.
_CARDS: Final = {8: "id_card", 9: "id_card", 10: "citizen_id", 11: "citizen_id", 12: "citizen_id"}


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One wrong cell.

    `column` is its index, None when the field has no column; `written` is its text, as a person
    reads it.
    """

    field: str
    column: int | None
    letter: str | None
    header: str
    written: str
    problem: CellProblem


@dataclass(slots=True)
class TakenRow:
    """`values` has an entry for each mapped field (None: the cell is empty), in the form the API
    takes; fields with a problem have none. Besides the public fields there may be `branch`,
    `commune` (names), `unit` ({"id", "name"}), `member`, `term`, `masked` (list of fields) and
    `section`, the heading above it, `within`, that of the branch its group is of, `titled`, the branch that the title of its sheet says. `fingerprint` is 32 hexadecimal digits.
    """

    number: int
    values: dict[str, Any]
    problems: list[RowProblem] = field(default_factory=list)
    fingerprint: str = ""


def take(
    table: Table, mapping: Places, kind: Kind, options: Options | None = None
) -> Iterator[TakenRow]:
    """Each row of the table, in order. Raises KeyError for a field or a column that is not there."""
    taker = Taker(table, mapping, kind, options or Options())
    return map(taker.take, table.rows)


class _Place(NamedTuple):
    """A field with its column; `known` are the cells that were read before."""

    spec: FieldSpec
    column: Column
    options: Options
    known: dict[tuple[type, Cell], Parsed]


def _options(table: Table, index: int, spec: FieldSpec, options: Options) -> Options:
    if spec.type not in values.DAYS:
        return options
    return replace(options, column=day_columns.of_cells(row.cells[index] for row in table.rows))


class Taker:
    def __init__(self, table: Table, mapping: Places, kind: Kind, options: Options) -> None:
        specs, columns = headers.fields(kind), {column.index: column for column in table.columns}
        self.kind = kind
        self.text_problems = table.cell_problems
        self.hidden, self.struck_out = table.hidden, table.struck_out
        self.shifted = table.shifted
        self.remarks = marks.notes_among(table.columns)
        # Beside the note: what says who she is, and the state that another program kept of her.
        others = [columns[mapping[name]] for name in (*headers.WHO, "status") if name in mapping]
        self.notes = list({each.index: each for each in (*self.remarks, *others)}.values())
        read = set(mapping.values())
        self.membership = [c for c in marks.members_among(table.columns) if c.index not in read]
        named = {mapping[name] for name in ("branch", "branch_id", "unit") if name in mapping}
        self.titled = [
            None if named & part.places.keys() else part.table.titled for part in table.parts
        ]
        self.specs = specs
        self.columns = {name: columns[index] for name, index in mapping.items()}
        # Beside a whole name the given name says which word it is, not always the last.
        self.name_in_parts = "full_name" not in mapping and any(
            part in mapping for part in headers.NAME_PARTS
        )
        if self.name_in_parts and "given_name" in mapping:
            # A part is repaired with the whole, where it is said.
            part = replace(specs["given_name"], type="name_part")
            self.specs = specs = {**specs, "given_name": part}
        self.places: list[_Place] = [
            _Place(specs[name], columns[index], _options(table, index, specs[name], options), {})
            for name, index in mapping.items()
        ]
        self.implied = list(_implied(specs, mapping))
        self.required = [spec for spec in specs.values() if spec.required]
        self.column_of_cards = _column_of_cards(self.columns, specs)
        self.names_cards = self.column_of_cards == "id_card" or (
            self.column_of_cards == "citizen_id"
            and _names_the_old_card(self.columns["citizen_id"].header)
        )
        self.said_in_notes = {
            name: said for name, said in headers.in_notes(kind).items() if name not in mapping
        }

    def take(self, row: Row) -> TakenRow:
        taken = TakenRow(row.number, {})
        for place, column, options, known in self.places:
            spec, cell = place, row.cells[column.index]
            if cell is None:
                taken.values[place.field] = None
                continue
            if place.field == self.column_of_cards:
                spec = self.specs[self._card_held(cell) or place.field]
            asked = (type(cell), cell)
            parsed = known.get(asked)
            if parsed is None:
                parsed = known[asked] = values.parse(spec, self.kind, cell, options)
            if parsed.problem is None or parsed.problem.taken:
                taken.values[spec.field] = parsed.value
            if parsed.problem is not None and spec.taken:
                self._refuse(taken, spec, column, cell, parsed.problem)
            elif spec is not place and not self.names_cards:
                problem = CellProblem("id_card_among_ids", taken=True)
                self._refuse(taken, spec, column, cell, problem)
        if self.text_problems:
            self._refuse_text(taken, row)
        self._join(taken)
        self._read_remarks(taken, row)
        self._mark(taken, row)
        if row.section:
            taken.values["section"] = row.section
            outer = row.within or self.titled[row.part]
            if outer and sections.is_within(row.section):
                taken.values["within"] = outer
        elif titled := self.titled[row.part]:
            taken.values["titled"] = titled
        taken.fingerprint = fingerprint(taken)
        return taken

    def _refuse(
        self, taken: TakenRow, spec: FieldSpec, column: Column, cell: Cell, problem: CellProblem
    ) -> None:
        written = values.text_of(cell)[:300]
        taken.problems.append(
            RowProblem(spec.field, column.index, column.letter, column.header, written, problem)
        )

    def _card_held(self, cell: Cell) -> str | None:
        """The field of a number by its length, of which a spreadsheet may have taken the zero before
        it; under a heading of citizen ids only the whole number of an old card is one."""
        if not self.names_cards and isinstance(cell, str) and len(cell) == _OF_CITIZEN_ID:
            return None
        digits = values.digits_of(cell)
        if not digits.isdecimal():
            return None
        held = _CARDS.get(len(digits))
        return held if self.names_cards or len(digits) == _OF_OLD_CARD else None

    def _refuse_text(self, taken: TakenRow, row: Row) -> None:
        for spec, column, *_ in self.places:
            if problem := self.text_problems.get((row.number, column.index)):
                taken.values.pop(spec.field, None)
                self._refuse(taken, spec, column, row.cells[column.index], problem)

    def _read_remarks(self, taken: TakenRow, row: Row) -> None:
        """Values that stand in a note of a new row, where the list has no column for them."""
        for name, said in self.said_in_notes.items():
            for column in self.remarks:
                cell = row.cells[column.index]
                known = taken.values.get(name) or taken.values.get("id")
                if known is None and isinstance(cell, str):
                    clauses = map(headers.key, _CLAUSES.split(cell))
                    code = next((said[each] for each in clauses if each in said), None)
                    self._take_remark(taken, self.specs[name], column, cell, code)

    def _take_remark(
        self, taken: TakenRow, spec: FieldSpec, column: Column, cell: str, code: str | None
    ) -> None:
        if code is None or spec.list is None:
            return
        label = dict(headers.code_list(self.kind, spec.list))[code]
        told = {"text": cell[:60], "field": spec.vi, "label": label}
        taken.values[spec.field] = code
        self._refuse(taken, spec, column, cell, CellProblem("value_of_note", told, taken=True))

    def _mark(self, taken: TakenRow, row: Row) -> None:
        """What stands beside the values: a row that may not count any more."""
        if row.number in self.hidden:
            # A list filtered to its women: a man among the hidden is none of them.
            is_man = taken.values.get("gender") == "male"
            self._say(taken, CellProblem("row_hidden", taken=not is_man))
        if row.number in self.struck_out:
            self._say(taken, CellProblem("row_struck_out"))
        if row.number in self.shifted:
            self._say(taken, CellProblem("row_shifted"))
        # Our own export has a record whose state is known.
        for column in self.notes if taken.values.get("id") is None else ():
            if marks.says_gone(row, column):
                self._say(taken, CellProblem("row_says_gone"), column, row.cells[column.index])

        for column in self.membership:
            if marks.says_no_member(row, column):
                cell = row.cells[column.index]
                self._say(taken, CellProblem("row_says_no_member"), column, cell)

    def _say(
        self,
        taken: TakenRow,
        problem: CellProblem,
        column: Column | None = None,
        cell: Cell = None,
    ) -> None:
        named = next((name for name in headers.WHO if name in self.specs), next(iter(self.specs)))
        place = column or self.columns.get(named)
        written = "" if column is None else values.text_of(cell)[:300]
        taken.problems.append(
            RowProblem(
                named,
                place.index if place else None,
                place.letter if place else None,
                place.header if place else self.specs[named].vi,
                written,
                problem,
            )
        )

    def _join(self, taken: TakenRow) -> None:
        """Names and births in two columns; missing required fields."""
        told = taken.values
        for name, field_, value in self.implied:
            if told.get(name) is not None:
                told[field_] = value
        if self.name_in_parts:
            self._join_name(taken)
        for name, value in (told.pop("levels", None) or {}).items():
            if told.get(name) is None:
                told[name] = value
        if "female" in self.columns or "male" in self.columns:
            self._join_gender(taken)
        if taken.problems and told.get("birth_date"):
            taken.problems = [_certain(told, each) for each in taken.problems]
        wrong = {each.field for each in taken.problems if not each.problem.taken}
        if wrong & {"female", "male"}:
            wrong.add(self._birth_field())
        for spec in self.required:
            if told.get(spec.field) is None and spec.field not in wrong:
                self._miss(taken, spec)

    def _birth_field(self) -> str:
        return "birth_date" if "birth_date" in self.specs else "head_birth_date"

    def _miss(self, taken: TakenRow, spec: FieldSpec) -> None:
        names = (spec.field, *headers.STANDS_IN.get(spec.field, ()))
        column = next((self.columns[name] for name in names if name in self.columns), None)
        taken.problems.append(
            RowProblem(
                spec.field,
                column.index if column else None,
                column.letter if column else None,
                column.header if column else spec.vi,
                "",
                CellProblem("required"),
            )
        )

    def _join_name(self, taken: TakenRow) -> None:
        parts = [taken.values.pop(name, None) for name in headers.NAME_PARTS]
        written = " ".join(part for part in parts if part)
        name = values.name_of(written)
        if name.problem is None or name.problem.taken:
            taken.values["full_name"] = name.value
        if name.problem is not None:
            column = next(
                self.columns[n] for n in reversed(headers.NAME_PARTS) if n in self.columns
            )
            taken.problems.append(
                RowProblem(
                    "full_name", column.index, column.letter, column.header, written, name.problem
                )
            )

    def _join_gender(self, taken: TakenRow) -> None:
        told = taken.values
        found = [each for name in ("female", "male") if (each := told.pop(name, None))]
        if len(found) > 1:
            column = self.columns["male"]
            problem = CellProblem("two_genders")
            taken.problems.append(
                RowProblem("gender", column.index, column.letter, column.header, "", problem)
            )
            return
        gender, born = ("gender", self._birth_field())
        if gender not in self.specs:
            gender = "head_gender"
        for each in found:
            if told.get(gender) is None:
                told[gender] = each["gender"]
            if "birth_date" in each and told.get(born) is None:
                told[born] = each["birth_date"]


def _certain(told: dict[str, Any], problem: RowProblem) -> RowProblem:
    """The lost zero of a citizen id is certain where its other digits say the year and the gender of
    the row: the id stands, with a warning. Other problems are left as they are."""
    number = problem.problem.proposal
    if problem.problem.code != "citizen_id_zero_lost" or number is None:
        return problem
    same_year = citizen_ids.birth_year(number) == int(told["birth_date"][:4])
    gender = told.get("gender")
    if not same_year or (gender and citizen_ids.is_of_woman(number) != (gender == "female")):
        return problem
    told["citizen_id"] = number
    return replace(problem, problem=CellProblem("citizen_id_zero_restored", taken=True))


def _implied(
    specs: Mapping[str, FieldSpec], mapping: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """Fields of columns that say another field, which has no column; that field, and its value."""
    for name in mapping:
        implies = specs[name].implies
        if implies and implies[0] not in mapping:
            yield name, *implies


def notes_on(table: Table, mapping: Iterable[str], kind: Kind) -> list[Note]:
    """What the reading of these columns makes of them besides their own fields, and those that only
    seem to be ours."""
    specs = headers.fields(kind)
    others = proposals.ids_of_others(table, kind)
    return [
        *(Note("ids_of_others", {"letter": c.letter, "header": c.header}) for c in others),
        *(
            Note("implied", {"field": specs[name].vi, "other": specs[field_].vi, "value": value})
            for name, field_, value in _implied(specs, mapping)
        ),
    ]


def _column_of_cards(columns: Mapping[str, Column], specs: Mapping[str, FieldSpec]) -> str | None:
    """The field of the one column that holds numbers of old cards and citizen ids."""
    if (
        not {"citizen_id", "id_card"} <= specs.keys()
        or len({"citizen_id", "id_card"} & columns.keys()) != 1
    ):
        return None
    return "id_card" if "id_card" in columns else "citizen_id"


def _names_the_old_card(header: str) -> bool:
    return any(word in fold(header).replace("/", " ").split() for word in ("cmnd", "cmt", "cmtnd"))


def fingerprint(taken: TakenRow) -> str:
    """The same for rows of the same contents, whatever their number, their order of columns, their
    layout or the case and spacing of their text; `id` and what is not taken do not count.
    """
    told = {
        name: value.casefold() if isinstance(value, str) else value
        for name, value in taken.values.items()
        if value is not None and name not in _NOT_SAID
    }
    told |= {
        f"!{problem.field}": problem.written.casefold()
        for problem in taken.problems
        if not problem.problem.taken
    }
    content = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    return blake2b(content, digest_size=16).hexdigest()
