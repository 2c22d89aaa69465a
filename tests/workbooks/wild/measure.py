"""What became of a book that was sent: its rows right, reported, silently wrong or lost.

Over HTTP alone: a book is sent, applied as it is (or once everything proposed was accepted), and the
records it made are compared with what is expected of its rows, field by field.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.workbooks.wild.sheets import DEFAULTS, Book, Expected


class Fate(StrEnum):
    """`right`: stored as expected, or waits where it should. `told`: not right, with a sign at the
    row or column. `silent`: wrong or lost, and nothing says so. `extra`: stored and nobody's."""

    right = "right"
    told = "told"
    silent = "silent"
    extra = "extra"


@dataclass
class Outcome:
    """The fates of a book's rows; `failures` says of each that is not right what it is.
    `proposed`: a value of some row waits to be accepted."""

    name: str
    rows: int
    fates: Counter[Fate] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    proposed: bool = False

    @property
    def right(self) -> int:
        return self.fates[Fate.right]

    @property
    def silent(self) -> int:
        return self.fates[Fate.silent] + self.fates[Fate.extra]

    def note(self, fate: Fate, of: str, why: str) -> None:
        self.fates[fate] += 1
        if fate is not Fate.right:
            self.failures.append(f"{of}: {fate}: {why}")


@dataclass(frozen=True)
class Commune:
    """Where the books are sent: who sends them, her unit, her branches by number of the khu."""

    officer: Api
    unit: int
    branches: Mapping[int, int]
    work: Callable[[], int]

    @classmethod
    def of(cls, officer: Api, work: Callable[[], int]) -> "Commune":
        """That of the officer."""
        [grant] = officer.get("/v1/me").json()["grants"]
        branches = officer.get("/v1/units?level=branch").json()["items"]
        by_number = {int(unit["name"].split()[-1]): unit["id"] for unit in branches}
        return cls(officer, grant["unit"]["id"], by_number, work)

    def sent(self, book: Book) -> Json:
        answer = self.officer.post(
            f"/v1/imports?kind=members&unit={self.unit}",
            content=book.content,
            headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(book.name)}"},
        )
        if answer.status_code == 422:
            return {"state": "refused", "problem": answer.json()}
        assert answer.status_code == 201, answer.text
        self.work()
        return self.shown(answer.json()["id"])

    def shown(self, import_id: str) -> Json:
        return self._answer("GET", f"/v1/imports/{import_id}")

    def rows(self, import_id: str) -> list[Json]:
        rows: list[Json] = self._answer("GET", f"/v1/imports/{import_id}/rows?limit=200")["items"]
        return rows

    def accept(self, item: Json) -> Json:
        """Everything that is proposed, in all rows."""
        codes = {
            problem["code"]
            for row in self.rows(item["id"])
            for problem in row["problems"]
            if problem["proposal"] is not None
        }
        self._answer("PATCH", f"/v1/imports/{item['id']}", json={"accept": sorted(codes)})
        self.work()
        return self.shown(item["id"])

    def apply(self, item: Json) -> Json:
        answer = self.officer.post(f"/v1/imports/{item['id']}/apply", json={})
        assert answer.status_code == 202, answer.text
        self.work()
        return self.shown(item["id"])

    def stored(self, row: Json) -> dict[str, Any]:
        member = self._answer("GET", f"/v1/members/{row['entity_id']}")
        khu = {unit: number for number, unit in self.branches.items()}
        return {name: member.get(name) for name in DEFAULTS} | {"branch": khu[member["branch_id"]]}

    def _answer(self, method: str, path: str, **sent: Any) -> Json:
        answer = self.officer.request(method, path, **sent)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body


def measure(commune: Commune, book: Book, *, accepting: bool = False) -> Outcome:
    """Sends the book and applies it; `accepting`: first everything proposed is accepted."""
    item = commune.sent(book)
    outcome = Outcome(book.name, len(book.people))
    if item["state"] == "refused":
        for row in book.people:
            outcome.note(Fate.told, _place(row), f"the file is refused: {item['problem']['code']}")
        return outcome
    decided = _proposed(commune.rows(item["id"]))
    outcome.proposed = bool(decided)
    if accepting:
        item = commune.accept(item)
    item = commune.apply(item)
    rows = commune.rows(item["id"])
    written = {
        row["number"]: commune.stored(row) for row in rows if row["done"] and row["entity_id"]
    }
    left = {row["number"]: row for row in rows}
    # Rows of several sheets, or of lists beside one another, share their numbers.
    several = len({each.number for each in book.people}) < len(book.people)
    several = several or len({each.sheet for each in book.people}) > 1
    for row in book.people:
        number = _found(row, left, written, several=several)
        found = left.pop(number) if number is not None else None
        told = decided.get(number or 0, frozenset()) if accepting else frozenset()
        outcome.note(*_verdict(row, item, found, written.get(number or 0), told))
    for number in left:
        if number in written:
            outcome.note(Fate.extra, f"row {number}", f"stored {written[number]['full_name']}")
    return outcome


def _place(row: Expected) -> str:
    return f"sheet {row.sheet + 1} row {row.number} ({row.stored['full_name']})"


def _found(
    row: Expected,
    left: Mapping[int, Json],
    written: Mapping[int, Mapping[str, Any]],
    *,
    several: bool,
) -> int | None:
    """The number of the row that the app has of this one. Rows of several sheets are known by
    their name, or by their phone."""
    if not several:
        return row.number if row.number in left else None
    for number, each in left.items():
        if _letters(each["name"]) == _letters(row.stored["full_name"]):
            return number
    phone = row.stored["phone"]
    for number in left:
        if phone and written.get(number, {}).get("phone") == phone:
            return number
    return None


def _letters(name: str | None) -> str:
    return "".join(filter(str.isalpha, name or "")).casefold()


def _proposed(rows: Sequence[Json]) -> dict[int, frozenset[str]]:
    """The fields of each row for which a value is proposed, by its number."""
    fields = {
        row["number"]: frozenset(p["field"] for p in row["problems"] if p["proposal"] is not None)
        for row in rows
    }
    return {number: names for number, names in fields.items() if names}


def _verdict(
    row: Expected,
    item: Json,
    found: Json | None,
    stored: Mapping[str, Any] | None,
    accepted: frozenset[str],
) -> tuple[Fate, str, str]:
    """`accepted`: fields whose value somebody has seen as a proposal, and taken."""
    place = _place(row)
    if found is None:
        told = (_sheet_of(row, item), row.number) in rows_left_out(item)
        fate = Fate.told if told else Fate.silent
        return fate, place, "no such row"
    codes = ", ".join(f"{p['field']} {p['code']}" for p in found["problems"])
    if stored is None:
        if row.waits:
            return Fate.right, place, codes
        return Fate.told, place, f"not stored: {found['outcome']}: {codes}"
    if row.waits:
        return Fate.silent, place, "stored though somebody has to decide"
    wrong = {name: stored[name] for name, value in row.stored.items() if stored[name] != value}
    if not wrong and row.signed and not (found["problems"] or accepted):
        return Fate.silent, place, "stored without a sign at the row"
    if not wrong:
        return Fate.right, place, ""
    silent = [name for name in wrong.keys() - accepted if not _is_told(name, item, found)]
    why = "; ".join(f"{name} is {wrong[name]!r}, not {row.stored[name]!r}" for name in wrong)
    return (Fate.silent if silent else Fate.told), place, f"{why} [{codes}]"


# A field may be read from columns of other names.
_READ_AS = {
    "full_name": ("full_name", "surname", "given_name"),
    "gender": ("gender", "male", "female"),
    "birth_date": ("birth_date", "male", "female"),
    "branch": ("branch", "branch_id"),
}


def _is_told(name: str, item: Json, found: Json) -> bool:
    """At the row; or its column is shown as not read."""
    fields = _READ_AS.get(name, (name,))
    if any(problem["field"] in fields for problem in found["problems"]):
        return True
    return not any(column["field"] in fields for column in item["columns"])


def rows_left_out(item: Json) -> set[tuple[str | None, int]]:
    """Sheet and number of the rows that the summary says were left out."""
    return {(apart["sheet"], number) for apart in item["rows_left_out"] for number in apart["rows"]}


def _sheet_of(row: Expected, item: Json) -> str | None:
    sheets = item["sheets"]
    name: str | None = sheets[row.sheet]["name"] or None if sheets else None
    return name


@dataclass(frozen=True)
class Share:
    """Of all rows of some books, in percent: right, and silently wrong or lost."""

    right: float
    silent: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Share":
        rows = sum(each.rows for each in outcomes) or 1
        right = sum(each.right for each in outcomes)
        silent = sum(each.silent for each in outcomes)
        return cls(100 * right / rows, 100 * silent / rows)
