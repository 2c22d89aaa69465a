"""One cell to one value, in the form the API takes; or what is wrong with it, and what to write.

A value is JSON: text, true, a whole number, an ISO date. Nothing is guessed: where we only think we
know, the problem has a proposal for somebody to confirm.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.person_names import NameRepair, PersonName, name_problem, read_name
from app.problem_texts import FieldCode
from app.text import clean, fold, normalise_phone, number_text, tidy
from app.workbooks import code_labels, dates, headers, objects, phones, schooling, terms, ticks
from app.workbooks.day_columns import DayColumn
from app.workbooks.headers import FieldSpec
from app.workbooks.name_parts import name_alone
from app.workbooks.nothing import is_blank, is_nothing, is_unfilled, repeats_one_digit
from app.workbooks.tables import Cell, CellProblem, Kind


@dataclass(frozen=True, slots=True)
class Options:
    """What somebody chose for a whole file. `first_day`: a day of which only the month or the year
    is written is the first of it (but where the field may hold it as it is). `month_first`: days in
    figures are written month first. `column`: what the column of the cell says of its days."""

    first_day: bool = False
    month_first: bool = False
    column: DayColumn | None = None


class Parsed(NamedTuple):
    """`value` is None for an empty cell, and when there is a problem that is not `taken`."""

    value: Any = None
    problem: CellProblem | None = None


EMPTY: Final = Parsed()
_FAILED: Final = re.compile(r"#(?:N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|GETTING_DATA|SPILL!)")
_YES: Final = frozenset(
    {
        *ticks.MARKS,
        *("co", "c", "yes", "i", "true", "1", "dung", "phai", "roi", "da", "da co"),
    }
)
_NO: Final = frozenset(
    {
        *("khong", "ko", "k", "no", "n", "false", "0", "-", "o", "sai"),
        *("chua", "chua co", "khong co", "khong phai"),
    }
)
# The entry of a list that an answer of yes or no means.
_ANSWERED: Final = {"party": ("member", "none")}

_ROUNDED: Final = re.compile(r"[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,2}", re.IGNORECASE)
# Mobile numbers that need no second look; of newer ranges only some are given out.
_MOBILE: Final = re.compile("0(?:3[2-9]|5[689]|7[06-9]|8[1-8]|9[0-8])[0-9]{7}")
_THOUSANDS: Final = re.compile(r"-?[0-9]{1,3}(?:[. ][0-9]{3})+")
_WHOLLY_BRACKETED: Final = re.compile(r"\s*\(([^()]*)\)\s*")
_BRACKETED: Final = re.compile(r"\s*\([^)]*\)\s*")
# The types of fields that are days, for the statistics of their columns.
DAYS: Final = frozenset({"birth_date", "known_day", "day", "any_day", "gender_column"})
# Provinces of the citizen id, of the list of 63 (domain facts, 4.1).
_LAST_PROVINCE: Final = 96
_MOST_LABELS: Final = 12
_MOST: Final = 10**15
# Longer text is looked at no further for what it might have meant.
_LONG: Final = 300
# No value of any field is longer.
_LONGEST: Final = 2_000


def parse(spec: FieldSpec, kind: Kind, cell: Cell, options: Options | None = None) -> Parsed:
    """The value of one cell for this field.

    A `gender_column` gives {"gender", "birth_date"}, `levels` {"education", "qualification"} (either
    may be missing), a `unit` and a `member` {"id", "name"}, a `term` {"congress_number", "starts_on",
    "ends_on"} with partial dates.
    """
    if cell is None:
        return EMPTY
    asked = _Asked(spec, kind, options or Options())
    if asked.options.month_first and spec.type in DAYS:
        cell = dates.day_first(cell)
    if isinstance(cell, str) and _FAILED.fullmatch(cell):
        return _left_out(asked, "formula_error", text=cell)
    if isinstance(cell, str) and len(cell) > _LONG:
        cell = tidy(cell)
        if len(cell) > _LONGEST:
            return _wrong("too_long", max=spec.max or _LONG)
    return _PARSERS[spec.type](asked, cell)


class _Asked(NamedTuple):
    spec: FieldSpec
    kind: Kind
    options: Options


def _wrong(code: FieldCode, proposal: str | None = None, **params: Any) -> Parsed:
    return Parsed(None, CellProblem(code, params, proposal))


def _left_out(asked: _Asked, code: FieldCode, **params: Any) -> Parsed:
    """The row is written without the cell, unless the field is required."""
    return Parsed(None, CellProblem(code, params, left_out=not asked.spec.required))


def text_of(cell: Cell) -> str:
    """A cell as a person reads it: days dd/mm/yyyy, whole numbers without a point."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell:%d/%m/%Y %H:%M:%S}"
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    return str(cell)


# -- text and names


def _text(asked: _Asked, cell: Cell) -> Parsed:
    text = clean(text_of(cell))
    if is_unfilled(text):
        return EMPTY
    longest = asked.spec.max or 500
    if len(text) > longest:
        return _wrong("too_long", max=longest)
    if not text.isprintable():
        return _wrong("control_character")
    return Parsed(text or None)


def _name(_: _Asked, cell: Cell) -> Parsed:
    return name_of(text_of(cell))


def name_of(written: str) -> Parsed:
    """A person's name as it is stored, with what was changed in it."""
    alone = name_alone(written)
    name = read_name(alone)
    if not name.text or is_unfilled(name.text):
        return EMPTY
    problem = name_problem(name.text)
    if problem is None and alone != written:
        told = {"typed": tidy(written), "name": name.text}
        return Parsed(name.text, CellProblem("name_with_more", told, taken=True))
    if problem is None:
        return Parsed(name.text, _repair(written, name))
    plain = _BRACKETED.sub(" ", name.text[:_LONG]).strip(" .,;:*-")
    proposal = plain if plain and plain != name.text and name_problem(plain) is None else None
    return _wrong(problem, proposal)


def _repair(written: str, name: PersonName) -> CellProblem | None:
    if not name.repairs:
        return None
    # One sign a cell: of several repairs the one that changed most, the last.
    repair: NameRepair = name.repairs[-1]
    return CellProblem(repair, {"typed": tidy(written), "name": name.text}, taken=True)


def _name_part(_: _Asked, cell: Cell) -> Parsed:
    return Parsed(tidy(text_of(cell)) or None)


def _given_name(_: _Asked, cell: Cell) -> Parsed:
    """A name of its own, of one letter too (Ý); what was repaired in it is said of the whole."""
    name = read_name(text_of(cell))
    problem = name_problem(name.text) if name.text else None
    return _wrong(problem) if problem and problem != "name_too_short" else Parsed(name.text or None)


def _words(_: _Asked, cell: Cell) -> Parsed:
    return Parsed(re.findall(r"\w+", text_of(cell)))


def _uuid(_: _Asked, cell: Cell) -> Parsed:
    text = clean(text_of(cell))
    if is_nothing(text):
        return EMPTY
    try:
        return Parsed(str(UUID(text)))
    except ValueError:
        return _wrong("id_invalid")


# -- numbers that are names: phone, citizen id, identity card


def digits_of(cell: Cell) -> str:
    return number_text(text_of(cell))


def _phone(asked: _Asked, cell: Cell) -> Parsed:
    text = text_of(cell)
    if _MOBILE.fullmatch(text):
        return Parsed(f"+84{text[1:]}")
    if is_nothing(text):
        return EMPTY
    phone = normalise_phone(text.lstrip("'"))
    if phone is not None:
        return Parsed(phone)
    number = phones.among(text)
    return Parsed(*number) if number else _no_number(asked, text, "phone_invalid")


def _citizen_id(asked: _Asked, cell: Cell) -> Parsed:
    if isinstance(cell, float) or _ROUNDED.fullmatch(text_of(cell).strip()):
        return _wrong("citizen_id_rounded")
    digits = digits_of(cell)
    if repeats_one_digit(digits):
        return _left_out(asked, "number_not_known")
    if re.fullmatch("[0-9]{12}", digits):
        return Parsed(digits)
    if is_nothing(text_of(cell)):
        return EMPTY
    # A program that takes one zero takes them all.
    if re.fullmatch("[1-9][0-9]{9,10}", digits):
        proposal = digits.zfill(12)
        sound = 0 < int(proposal[:3]) <= _LAST_PROVINCE
        return _wrong("citizen_id_zero_lost", proposal if sound else None, count=len(digits))
    if re.fullmatch("[0-9]{9}", digits):
        return _wrong("id_card_not_citizen_id")
    return _no_number(asked, digits, "citizen_id_invalid")


def _id_card(asked: _Asked, cell: Cell) -> Parsed:
    digits = digits_of(cell)
    if repeats_one_digit(digits):
        return _left_out(asked, "number_not_known")
    if re.fullmatch("[0-9]{9}", digits):
        return Parsed(digits)
    if is_nothing(text_of(cell)):
        return EMPTY
    if re.fullmatch("[0-9]{8}", digits):
        return _wrong("id_card_invalid", f"0{digits}")
    return _no_number(asked, digits, "id_card_invalid")


def _no_number(asked: _Asked, text: str, code: FieldCode) -> Parsed:
    """What is no number: words without a digit say that there is none ("chờ cấp lại")."""
    return _wrong(code) if any(map(str.isdigit, text)) else _left_out(asked, code)


def _number(_: _Asked, cell: Cell) -> Parsed:
    if isinstance(cell, int) and not isinstance(cell, bool):
        return Parsed(cell) if abs(cell) < _MOST else _wrong("number_invalid")
    text = clean(text_of(cell)).lstrip("'")[:_LONG]
    if text in ("", "-"):
        return EMPTY
    digits = text.replace(".", "").replace(" ", "") if _THOUSANDS.fullmatch(text) else text
    if re.fullmatch(r"-?[0-9]{1,15}", digits):
        return Parsed(int(digits))
    return _wrong("number_invalid")


# -- days


def _day(kind: dates.DayKind) -> Callable[[_Asked, Cell], Parsed]:
    def parser(asked: _Asked, cell: Cell) -> Parsed:
        if not isinstance(cell, bool) and is_nothing(text_of(cell)):
            return EMPTY
        if isinstance(cell, str) and (inside := _WHOLLY_BRACKETED.fullmatch(cell)):
            cell = inside[1]
        read = dates.read(cell, kind, asked.options.first_day, asked.options.column)
        if isinstance(read, CellProblem) and read.code == "date_without_year":
            return _left_out(asked, read.code)
        return _taken_day(read)

    return parser


def _taken_day(read: str | CellProblem) -> Parsed:
    if isinstance(read, str):
        return Parsed(read)
    return Parsed(read.proposal, replace(read, proposal=None)) if read.taken else Parsed(None, read)


def _gender_column(asked: _Asked, cell: Cell) -> Parsed:
    """A tick gives the gender; a year or a date the birth as well."""
    gender = asked.spec.field
    if isinstance(cell, bool):
        return Parsed({"gender": gender}) if cell else EMPTY
    if isinstance(cell, str):
        low = fold(cell)
        if low in ticks.MARKS or low in (fold(asked.spec.vi), "1"):
            return Parsed({"gender": gender})
        if is_nothing(cell):
            return EMPTY
    if cell == 1:
        return Parsed({"gender": gender})
    if cell == 0:
        return EMPTY
    born = _taken_day(dates.read(cell, "birth", column=asked.options.column))
    if born.value is None:
        return born
    return Parsed({"gender": gender, "birth_date": born.value}, born.problem)


def _term(_: _Asked, cell: Cell) -> Parsed:
    found = terms.read(clean(text_of(cell)))
    return Parsed(found) if isinstance(found, dict) else _wrong(found)


# -- what is on a list


def _yes_no(asked: _Asked, cell: Cell) -> Parsed:
    if isinstance(cell, bool):
        return Parsed(cell)
    low = fold(text_of(cell))
    if low in _YES or low == fold(asked.spec.vi):
        return Parsed(True)
    return Parsed(False) if low in _NO else _wrong("yes_no_invalid")


def _code(asked: _Asked, cell: Cell) -> Parsed:
    name = asked.spec.list
    if name is None:
        raise ValueError(asked.spec.field)
    text = clean(text_of(cell))
    spelled = headers.spellings_of(asked.kind, name)
    # 1 for "01": a spreadsheet took the code for a number.
    for tried in (text[:_LONG], text[:_LONG].zfill(2)):
        if (code := spelled.find(tried)) is not None:
            return Parsed(code)
    if (code := code_labels.find(spelled, text)) is not None:
        return Parsed(code)
    if name == "education" and (level := schooling.read(cell, asked.kind)):
        return Parsed(*level)
    if name == "qualification" and (degree := schooling.qualification(text, asked.kind)):
        return Parsed(degree, CellProblem("qualification_read", {"text": text}, taken=True))
    if is_blank(text):
        return EMPTY
    if name not in _ANSWERED and fold(text) in ticks.MARKS:
        return _left_out(asked, "tick_names_nothing", field=asked.spec.vi)
    if name in _ANSWERED and (answer := _yes_no(asked, cell)).problem is None:
        yes, no = _ANSWERED[name]
        return Parsed(yes if answer.value else no)
    near = spelled.nearest(text[:_LONG])
    labels = [vi for _, vi in headers.code_list(asked.kind, name)]
    allowed = ", ".join(labels[:_MOST_LABELS]) + ("…" if len(labels) > _MOST_LABELS else "")
    return _wrong("code_unknown", near, text=text[:60], allowed=allowed)


def _levels(asked: _Asked, cell: Cell) -> Parsed:
    text = clean(text_of(cell))
    if is_blank(text) or is_unfilled(text):
        return EMPTY
    found = schooling.read_levels(cell, asked.kind)
    return Parsed(*found) if found else _wrong("levels_unknown", text=text[:60])


# -- cells about another record


def _thing(asked: _Asked, cell: Cell) -> Parsed:
    """A unit or a member as the export has it, an object in JSON; or a name."""
    text = clean(text_of(cell))
    found = objects.in_text(text)
    if found is not None:
        named = found.get("name") or found.get("full_name")
        return Parsed({"id": objects.plain(found.get("id")), "name": objects.plain(named)})
    read = _text(asked, cell)
    return read if read.problem else Parsed({"id": None, "name": read.value})


_PARSERS: dict[str, Callable[[_Asked, Cell], Parsed]] = {
    "text": _text,
    "name": _name,
    "name_part": _name_part,
    "given_name": _given_name,
    "words": _words,
    "uuid": _uuid,
    "phone": _phone,
    "citizen_id": _citizen_id,
    "id_card": _id_card,
    "number": _number,
    "birth_date": _day("birth"),
    "known_day": _day("known"),
    "day": _day("past"),
    "any_day": _day("any"),
    "gender_column": _gender_column,
    "term": _term,
    "yes_no": _yes_no,
    "code": _code,
    "levels": _levels,
    "unit": _thing,
    "member": _thing,
}
