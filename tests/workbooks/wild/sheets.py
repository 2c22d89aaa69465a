"""Women, the cells a commune writes of them, and what is to be stored of each row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import product
from random import Random
from typing import Any

Cell = str | int | date | None
# What is on record of a woman of whom a list says nothing else.
DEFAULTS: Mapping[str, Any] = {
    "full_name": None,
    "birth_date": None,
    "gender": "female",
    "kind": "regular",
    "branch": None,
    "joined_on": None,
    "core": False,
    "phone": None,
    "citizen_id": None,
    "id_card": None,
    "address": None,
    "hometown": None,
    "ethnicity": None,
    "religion": None,
    "party": None,
    "party_joined_on": None,
    "education": None,
    "qualification": None,
    "occupation": None,
}
_SURNAMES = ("Khổng", "Tống", "Lương", "Mạc", "Quách", "Nghiêm", "Thạch", "Chử", "Kiều", "Doãn")
_MIDDLE = ("Thị", "Thị Thu", "Thị Kim", "Thuý", "Thị Bích", "Ngọc", "Thị Minh", "Thị Hồng")
_GIVEN = (
    *("Hoà", "Bưởi", "Quỳnh", "Phượng", "Nguyệt", "Đào", "Yến", "Gấm", "Mận", "Liên", "Thuỷ"),
    *("Ước", "Sửu", "Tươi", "Lữ", "Nhẫn", "Chắt", "Xoan", "Ngoãn", "Vượng"),
)
_NAMES = [" ".join(parts) for parts in product(_SURNAMES, _MIDDLE, _GIVEN)]
_PREFIXES = ("90", "91", "96", "97", "98", "35", "38")
_SCHOOLING = (("9/12", "lower_secondary"), ("12/12", "upper_secondary"))
_WORK = ("Làm ruộng", "Công nhân", "Buôn bán", "Giáo viên")


@dataclass(frozen=True)
class Woman:
    """`stored`: what is to be on record, by field, as the API shows it (`branch`: number of the
    khu); `written`: the cell of each field. `waits`: her row is for a person to decide. `signed`:
    her row is to carry a sign, though it is stored."""

    stored: Mapping[str, Any]
    written: Mapping[str, Cell]
    waits: bool = False
    signed: bool = False

    def but(self, name: str, written: Cell, **stored: Any) -> "Woman":
        """Another cell in one field; with `stored` another value of fields."""
        return replace(
            self, written={**self.written, name: written}, stored={**self.stored, **stored}
        )

    def to_decide(self) -> "Woman":
        return replace(self, waits=True)

    def with_sign(self) -> "Woman":
        return replace(self, signed=True)


def women(count: int, of: str) -> list[Woman]:
    """So many women of a book; no two books share one."""
    draw = Random(of)
    names = draw.sample(_NAMES, count)
    return [_woman(draw, name, number) for number, name in enumerate(names)]


def _woman(draw: Random, name: str, number: int) -> Woman:
    born = date(draw.randint(1945, 1995), draw.randint(1, 12), draw.randint(13, 28))
    joined = date(born.year + draw.randint(18, 28), draw.randint(1, 12), draw.randint(13, 28))
    phone = f"{draw.choice(_PREFIXES)}{draw.randrange(10**7):07}"
    card = f"0251{born:%y}{draw.randrange(10**6):06}"
    khu, core = number % 4 + 1, draw.random() < 0.3
    schooling, level = draw.choice(_SCHOOLING)
    work = draw.choice(_WORK)
    return Woman(
        stored={
            "full_name": name,
            "birth_date": born.isoformat(),
            "branch": khu,
            "joined_on": joined.isoformat(),
            "core": core,
            "phone": f"+84{phone}",
            "citizen_id": card,
            "address": f"Khu {khu}, xã Phượng Vĩ",
            "ethnicity": "01",
            "religion": "none",
            "party": "member",
            "party_joined_on": joined.isoformat(),
            "education": level,
            "occupation": work,
        },
        written={
            "full_name": name,
            "surname": name.rpartition(" ")[0],
            "given_name": name.rpartition(" ")[2],
            "birth_date": f"{born:%d/%m/%Y}",
            "branch": f"Chi hội khu {khu}",
            "joined_on": f"{joined:%d/%m/%Y}",
            "core": "x" if core else None,
            "phone": f"0{phone}",
            "citizen_id": card,
            "address": f"Khu {khu}, xã Phượng Vĩ",
            "ethnicity": "Kinh",
            "religion": "Không",
            "party": "Đảng viên",
            "party_joined_on": f"{joined:%d/%m/%Y}",
            "education": schooling,
            "occupation": work,
            "gender": "Nữ",
        },
    )


@dataclass(frozen=True)
class Column:
    """A column of a list: its heading, the field its cells are of, the fields it says."""

    heading: str | None
    shows: str | None = None
    says: tuple[str, ...] = ()
    # A column of ticks: the value that an x here stands for, and the mark.
    ticked: str | None = None
    mark: str = "x"

    def cell(self, woman: Woman, number: int) -> Cell:
        if self.shows == "number":
            return number
        if self.shows is None:
            return None
        value = woman.written.get(self.shows)
        if self.ticked is None:
            return value
        return self.mark if value == self.ticked else None


def column(heading: str | None, shows: str | None = None) -> Column:
    of_names = shows in ("surname", "given_name")
    says = "full_name" if of_names else shows
    return Column(heading, shows, () if says in (None, "number") else (str(says),))


def ticks(shows: str, *headings: str, mark: str = "x") -> list[Column]:
    """A column for each value, named as it is, an x at the right one."""
    return [Column(h, shows, (shows,), ticked=h, mark=mark) for h in headings]


NUMBER = column("STT", "number")
NAME = column("Họ và tên", "full_name")
BORN = column("Ngày sinh", "birth_date")
BRANCH = column("Chi hội", "branch")
PHONE = column("Số điện thoại", "phone")
CARD = column("Số CCCD", "citizen_id")
BASIC = (NUMBER, NAME, BORN, BRANCH, PHONE, CARD)
WITHOUT_BRANCH = (NUMBER, NAME, BORN, PHONE, CARD)


@dataclass(frozen=True)
class Expected:
    """What is to become of one row: what is stored, or that it waits."""

    sheet: int
    number: int
    stored: Mapping[str, Any]
    waits: bool
    signed: bool


@dataclass
class Sheet:
    """Cells as they stand, and the rows that are people. Rows and columns count from 1."""

    name: str = "Sheet1"
    lines: list[list[Cell]] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    hidden_columns: set[str] = field(default_factory=set)
    struck: set[int] = field(default_factory=set)
    # Cells shown in another number format, as a year in a cell of dates.
    formats: dict[tuple[int, int], str] = field(default_factory=dict)
    people: list[Expected] = field(default_factory=list)

    @property
    def last(self) -> int:
        return len(self.lines)

    def line(self, *cells: Cell, merged: str | None = None) -> "Sheet":
        """A row that is nobody; `merged`: the columns ("A:F") its first cell goes over."""
        self.lines.append(list(cells))
        if merged:
            first, last = merged.split(":")
            self.merged.append(f"{first}{self.last}:{last}{self.last}")
        return self

    def head(self, columns: Sequence[Column]) -> "Sheet":
        return self.line(*(each.heading for each in columns))

    def add(
        self, columns: Sequence[Column], people: Iterable[Woman], *, at: int = 1, **known: Any
    ) -> "Sheet":
        """Rows of women; `known`: fields that the place of the rows says (a section, a sheet)."""
        said = {name for each in columns for name in each.says}
        for number, woman in enumerate(people, at):
            self.lines.append([each.cell(woman, number) for each in columns])
            stored = {name: woman.stored[name] for name in said if name in woman.stored} | known
            row = Expected(0, self.last, {**DEFAULTS, **stored}, woman.waits, woman.signed)
            self.people.append(row)
        return self

    def table(self, columns: Sequence[Column], people: Iterable[Woman], **known: Any) -> "Sheet":
        return self.head(columns).add(columns, people, **known)


@dataclass(frozen=True)
class Book:
    """A file, what it is called, and its rows in order."""

    name: str
    content: bytes
    people: tuple[Expected, ...]


def expected(sheets: Sequence[Sheet]) -> tuple[Expected, ...]:
    return tuple(_numbered(sheets))


def _numbered(sheets: Sequence[Sheet]) -> Iterator[Expected]:
    for place, sheet in enumerate(sheets):
        for row in sheet.people:
            yield replace(row, sheet=place)
