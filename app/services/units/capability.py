"""The dated tree of units."""

from sqlmodel import Session

from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitClosure, UnitEdge, UnitIdentifier, UnitSuccession
from app.services.kernel.manifest import Capability
from app.services.kernel.named import Named
from app.services.kernel.offers import Without
from app.services.kernel.tracking import DERIVED, PATH, Row, Tracked, Units, on_path
from app.services.kernel.unit_ends import AtEnd, Stays
from app.services.units import figure_rows, news, reading, units

_on_path = on_path("id")


def _standing(session: Session, row: Row) -> Units:
    """The path of the unit, itself included."""
    units = _on_path(session, row)
    own = f"{row['level']}_id"
    if own in units:
        units[own] = row["id"]
    return units


CAPABILITY = Capability(
    module=__name__,
    named={"unit": Named(Right.units_read, units.seen, "unit_unknown")},
    owned=(Unit, UnitEdge, UnitClosure, UnitIdentifier, UnitSuccession),
    unit_ends={
        Unit: AtEnd.ends,
        UnitEdge: AtEnd.ends,
        UnitClosure: AtEnd.ends,
        UnitIdentifier: AtEnd.ends,
        UnitSuccession: Stays("says what a unit was made of"),
    },
    tracked={
        Unit: Tracked(
            entity="unit",
            units=_standing,
            read_right=Right.units_read,
            left_out=DERIVED | set(PATH) | {"id", "name_key", "sort_key"},
            moved_by="parent_id",
            dated=True,
        ),
    },
    problems=("units.yaml",),
    nobody={
        Unit: frozenset({"name", "name_key", "sort_key", "code", "phone", "email", "address"}),
        UnitEdge: frozenset(),
        UnitClosure: frozenset(),
        UnitIdentifier: frozenset({"value", "value_key"}),
        UnitSuccession: frozenset({"decree"}),
    },
    tags={
        "units": "The dated tree of units, and its branches (chi hội).",
    },
    audience={
        "units": frozenset({"mobile", "integration"}),
    },
    work=Without("changes of the tree are made at once"),
    figures=figure_rows.FIGURES,
    sync=(reading.SYNC,),
    events=news.NEWS,
    operations=Without("units are changed while online"),
)
