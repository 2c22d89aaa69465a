"""How the change log follows a table, and how it finds the units a row belongs to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit

Units = dict[str, int | None]
Row = Mapping[str, Any]
# The units of a row, from the current transaction and the row.
UnitsOf = Callable[[Session, Row], Units]

# What the server keeps itself of every tracked row: no news to anybody.
DERIVED = frozenset({"revision", "created_at", "updated_at"})
PATH = ("province_id", "district_id", "commune_id", "branch_id")
_ABOVE_BRANCH = frozenset({"province_id", "commune_id"})


@dataclass(frozen=True, slots=True)
class Tracked:
    """How one table is logged: its entity name, its units, left-out columns, rights of readers."""

    entity: str
    units: UnitsOf
    read_right: Right
    left_out: frozenset[str]
    # Logged as set or not set, never with their value.
    secret: frozenset[str] = frozenset()
    # Shown to holders of the right alone.
    masks: Mapping[str, Right] = field(default_factory=dict)
    # Logged sealed, as they are stored: the log is no way around the encryption.
    sealed: Mapping[str, str] = field(default_factory=dict)
    # Further units of a change: a transfer also belongs to the target branch.
    also_units: UnitsOf | None = None
    # A change of this column is a move: news to those it left and to those it came to.
    moved_by: str | None = None
    # Its changes hold from a day of their own: `effective_on` is logged with them.
    dated: bool = False

    @property
    def above_branch(self) -> frozenset[str]:
        """The logged columns that say where the branch of the row stands. They go with the branch without
        a change of the row: the log has that of the unit (docs/decisions/0036)."""
        return _ABOVE_BRANCH - self.left_out if self.moved_by == "branch_id" else frozenset()


# -- the units of a row


def in_branch(_: Session, row: Row) -> Units:
    """The row names its branch, commune and province."""
    return {
        "unit_id": row["branch_id"],
        "province_id": row["province_id"],
        "district_id": None,
        "commune_id": row["commune_id"],
        "branch_id": row["branch_id"],
    }


def on_path(unit: str) -> UnitsOf:
    """The row has a whole path, and this column names the unit it belongs to."""

    def units(_: Session, row: Row) -> Units:
        return {name: row[name] for name in PATH} | {"unit_id": row[unit]}

    return units


def of_unit(column: str = "unit_id") -> UnitsOf:
    """The path of the unit that this column names."""

    def units(session: Session, row: Row) -> Units:
        return _path_of(session, row[column])

    return units


def of_account(session: Session, row: Row) -> Units:
    """The path of the unit of the account that the row names."""
    unit_id = session.connection().execute(_ACCOUNT_UNIT, {"id": row["account_id"]}).scalar_one()
    return _path_of(session, unit_id)


def _path_of(session: Session, unit_id: int) -> Units:
    known: dict[int, Units] = session.info.get("unit_paths", {})
    if unit_id not in known:
        path = session.connection().execute(_UNIT_PATH, {"unit_id": unit_id}).one()
        known[unit_id] = {**path._mapping, "unit_id": unit_id}
    return dict(known[unit_id])


_ACCOUNT_UNIT = sa.select(col(Account.unit_id)).where(col(Account.id) == sa.bindparam("id"))
_UNIT_PATH = sa.select(*(getattr(Unit, name) for name in PATH)).where(
    col(Unit.id) == sa.bindparam("unit_id")
)
