"""No table and no column can be forgotten by an erasure, or by the copy a person is given."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from app.models.base import Uuid
from app.services.kernel.holdings import Holding
from app.services.kernel.manifest import manifest

TABLES = SQLModel.metadata.tables
HOLDINGS = manifest().holdings
BY_TABLE = {holding.name: holding for holding in HOLDINGS}
SCANNED = {scanned.name: scanned for scanned in manifest().scanned}
NOBODY = {str(model.__tablename__): names for model, names in manifest().nobody.items()}


def holds_text(column: sa.Column[object]) -> bool:
    """Whatever a name could be written into: text, JSON, bytes; no code of a list, no id."""
    kind = column.type
    if isinstance(kind, sa.Enum | Uuid):
        return False
    if isinstance(kind, sa.types.TypeDecorator):
        kind = kind.impl_instance
    return isinstance(kind, sa.String | sa.JSON | sa.LargeBinary)


def declared(table: str) -> frozenset[str]:
    if table in BY_TABLE:
        holding = BY_TABLE[table]
        return frozenset(holding.wiped) | holding.tells_nobody
    if table in SCANNED:
        return SCANNED[table].looked_through | SCANNED[table].tells_nobody
    return NOBODY[table]


class TestEveryColumn:
    def test_each_table_is_in_one_place(self) -> None:
        places = [*BY_TABLE, *SCANNED, *NOBODY]
        assert sorted(places) == sorted(TABLES), (
            "each table stands once in the holdings, in what is scanned or in nobody of its capability"
        )
        assert len(HOLDINGS) == len(BY_TABLE)

    @pytest.mark.parametrize("table", sorted(TABLES))
    def test_what_holds_text_is_declared(self, table: str) -> None:
        text = {column.name for column in TABLES[table].columns if holds_text(column)}
        unknown = text - declared(table)
        assert unknown == set(), (
            f"say in the capability that owns {table} what an erasure makes of {unknown}"
        )

    @pytest.mark.parametrize("table", sorted(TABLES))
    def test_what_is_declared_is_there(self, table: str) -> None:
        assert declared(table) <= {column.name for column in TABLES[table].columns}

    @pytest.mark.parametrize("holding", HOLDINGS, ids=lambda holding: holding.name)
    def test_what_is_wiped_may_be(self, holding: Holding) -> None:
        """What is emptied may be empty."""
        for name, value in holding.wiped.items():
            if value is None and not holding.deleted:
                assert holding.table.columns[name].nullable, name
        assert holding.by in holding.table.columns
        assert holding.internal <= {column.name for column in holding.table.columns}

    def test_every_table_that_names_a_member_is_a_holding(self) -> None:
        naming = {
            table.name
            for table in TABLES.values()
            for column in table.columns
            if column.name == "member_id" and table.name != "erasure"
        }
        assert naming - BY_TABLE.keys() == set(), "these need a Holding in their capability"

    def test_what_is_logged_of_a_person_is_wiped_from_the_log(self) -> None:
        """A column that the log leaves out or tells as set needs none; all others are wiped with
        the row itself, by their name. What is looked through for a name is never logged."""
        tracked = {str(model.__tablename__): each for model, each in manifest().tracked.items()}
        others = tracked.keys() - BY_TABLE.keys()
        assert others <= NOBODY.keys() | SCANNED.keys()
        for table in others & SCANNED.keys():
            unlogged = tracked[table].left_out | tracked[table].secret
            assert SCANNED[table].looked_through <= unlogged, table


def sealed() -> Iterator[tuple[str, str]]:
    for table in TABLES.values():
        for column in table.columns:
            if type(column.type).__name__ == "Sealed":
                yield table.name, column.name


@pytest.mark.parametrize(("table", "column"), sorted(sealed()))
def test_what_is_sealed_is_wiped(table: str, column: str) -> None:
    """What is sealed is about people, unless it is a key."""
    if column in NOBODY.get(table, frozenset()):
        return
    wiped = BY_TABLE[table].wiped if table in BY_TABLE else SCANNED[table].looked_through
    assert column in wiped


class TestLabels:
    def test_each_is_of_a_column_that_a_copy_shows(self) -> None:
        # Of the section that the change log makes up.
        shown = {"entity", "operation", "at", "before", "after"}
        for holding in HOLDINGS:
            shown |= {column.name for column in holding.table.columns} - holding.internal
        assert manifest().labels.keys() - shown == set(), "these labels are of no column shown"

    def test_every_column_that_a_copy_shows_has_one(self) -> None:
        shown = {
            column.name
            for holding in HOLDINGS
            for column in holding.table.columns
            if column.name not in holding.internal
        }
        assert shown - manifest().labels.keys() == set(), (
            "name these columns in `labels` of the capability, in Vietnamese and in English"
        )

    def test_none_is_given_twice(self) -> None:
        given = [column for each in manifest().capabilities for column in each.labels]
        assert len(given) == len(set(given))
