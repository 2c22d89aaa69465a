"""Where the database tells who a person is, and what becomes of it: parts of the manifest.

A capability puts each table it owns in one of three places, and `tests/privacy/test_holdings.py`
sees that none is left out and that every column that holds text is named:
- holdings: rows that belong to a person, found by a column that names the person or an account;
- scanned: rows that may speak of a person, found by what they say;
- nobody: rows that speak of no person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

ERASED_NAME = "Đã xoá danh tính"
ERASED_WORD = "—"
_BAND_YEARS = 5

Row = Mapping[str, Any]
# A value, or what makes one of the row as it is.
Becomes = Any | Callable[[Row], Any]


def birth_band(row: Row) -> int:
    """The first of the five years the birth lies in: an age, and no birthday."""
    year: int = row["birth_year"]
    return year - year % _BAND_YEARS


def emptied(*names: str) -> dict[str, Becomes]:
    """These columns become null."""
    return dict.fromkeys(names)


@dataclass(frozen=True, slots=True)
class Holding:
    """The rows of a person in one table.

    `by` is the column that names the person, or the account where `of_account`. `wiped`: what the
    columns become that tell who the person is. `tells_nobody`: text that may stay. `internal`: of
    no use to the person, or dangerous in a file (keys, digests).
    """

    model: type[SQLModel]
    vi: str
    en: str
    by: str = "member_id"
    # Of rows that name two people, the column of the other one.
    or_by: str | None = None
    of_account: bool = False
    # Of the households the person heads: what is written of them is written of their head.
    of_household: bool = False
    wiped: Mapping[str, Becomes] = field(default_factory=dict)
    tells_nobody: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()
    deleted: bool = False
    # Made by us of other rows: that they are gone is no news to who keeps copies.
    derived: bool = False
    # Rows may be deleted before the person is erased: then the log alone knows whose they were.
    deletable: bool = False
    # Comes and goes with requests: no part of what a dry run is confirmed by.
    passing: bool = False

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)

    @property
    def table(self) -> sa.Table:
        return SQLModel.metadata.tables[self.name]

    def names(self, ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
        """The rows that name one of these people, or accounts."""
        columns = [self.by] if self.or_by is None else [self.by, self.or_by]
        return sa.or_(*(self.table.c[name].in_(ids) for name in columns))

    def of(self, row: Row) -> dict[str, Any]:
        """What the columns that tell who the person is become in this row."""
        return {
            name: value(row) if callable(value) else value for name, value in self.wiped.items()
        }


@dataclass(frozen=True, slots=True)
class Scanned:
    """A table whose rows may speak of a person: the columns looked through, those that tell nobody.

    What looks them through is the capability's `forget_each` or `forget_all`.
    """

    model: type[SQLModel]
    vi: str
    en: str
    looked_through: frozenset[str]
    tells_nobody: frozenset[str] = frozenset()
    deleted: bool = False
    # As of a holding.
    passing: bool = False

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)


@dataclass(frozen=True, slots=True)
class Person:
    """What a person is found by: the record, the accounts and their sessions, every name there was."""

    id: UUID
    # Of records that were merged into this one.
    former_ids: tuple[UUID, ...]
    account_ids: tuple[UUID, ...]
    # Those the person heads.
    household_ids: tuple[UUID, ...]
    session_ids: tuple[UUID, ...]
    names: frozenset[str]
    birth_years: frozenset[str]

    @property
    def all_ids(self) -> tuple[UUID, ...]:
        return (self.id, *self.former_ids)

    def ids(self, holding: Holding) -> tuple[UUID, ...]:
        if holding.of_account:
            return self.account_ids
        return self.household_ids if holding.of_household else self.all_ids


# How many rows of which table were forgotten.
Forgotten = Mapping[type[SQLModel], int]
ForgetEach = Callable[[Session, Person], Forgotten]
ForgetAll = Callable[[Session, Sequence[Person]], Forgotten]
