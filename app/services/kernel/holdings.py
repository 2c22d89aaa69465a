"""Where the database identifies a person, and what an erasure does there: parts of the manifest.

A capability lists each table it owns in one of three places; `tests/privacy/test_holdings.py`
checks that no table and no text column is missing:
- holdings: rows that belong to a person, found by a column that names the person or an account;
- scanned: rows that may mention a person, found by searching their contents;
- nobody: rows that mention no person.
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
    """The first year of the five-year band of the birth: an age, and no birthday."""
    year: int = row["birth_year"]
    return year - year % _BAND_YEARS


def emptied(*names: str) -> dict[str, Becomes]:
    """These columns become null."""
    return dict.fromkeys(names)


@dataclass(frozen=True, slots=True)
class Holding:
    """The rows of a person in one table.

    `by` is the column that names the person, or the account where `of_account`. `wiped`: the new
    values of columns that identify the person. `tells_nobody`: text that may stay. `internal`:
    useless to the person, or dangerous in a file (keys, digests).
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
    # Rows may be deleted before the person is erased: then only the log knows whose they were.
    deletable: bool = False
    # Created by requests themselves: not part of the digest that confirms a dry run.
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
        """The new values, in this row, of the columns that identify the person."""
        return {
            name: value(row) if callable(value) else value for name, value in self.wiped.items()
        }


@dataclass(frozen=True, slots=True)
class Scanned:
    """A table whose rows may mention a person: the columns to search, and those that identify
    nobody.

    The capability's `forget_each` or `forget_all` searches them.
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
