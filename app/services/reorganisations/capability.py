"""Reorganisations: what a decree does to units, in one act."""

from datetime import timedelta

from sqlmodel import Session

from app.models.kernel.access import Right
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationJob,
    ReorganisationSide,
    ReorganisedUnit,
)
from app.services.kernel.manifest import Capability, JobWork, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.tracking import DERIVED, PATH, Row, Tracked, Units, of_unit
from app.services.kernel.unit_ends import Stays
from app.services.reorganisations import deciding, notices, returning, scheduling, switching
from app.services.reorganisations.crosswalks import CROSSWALK
from app.services.reorganisations.unit_lists import UNITS

_of_unit = of_unit()


def _above_all(session: Session, row: Row) -> Units:
    """The unit over all its sides. Of sides that meet under no unit the log has it nowhere: its line
    names people of each, so that it is for who reads everywhere."""
    agreed = row["agreement"]
    if agreed is not None and agreed["above"] is None:
        return dict.fromkeys((*PATH, "unit_id"))
    return _of_unit(session, row)


CAPABILITY = Capability(
    module=__name__,
    owned=(Reorganisation, ReorganisedUnit, ReorganisationSide),
    unit_ends={
        Reorganisation: Stays("says what was done to the unit"),
        ReorganisedUnit: Stays("says what was done to the unit"),
        ReorganisationSide: Stays("says who decided on it"),
    },
    tracked={
        Reorganisation: Tracked(
            entity="reorganisation",
            units=_above_all,
            read_right=Right.units_read,
            left_out=DERIVED | {"id", "undo", "behind"},
            # They name members and households.
            masks={"operations": Right.members_read},
        ),
    },
    nobody={
        Reorganisation: frozenset(
            {"decree", "note", "operations", "opened", "undo", "behind", "agreement"}
        ),
        ReorganisedUnit: frozenset(),
        ReorganisationSide: frozenset(),
    },
    import_kinds=(UNITS, CROSSWALK),
    jobs={
        ReorganisationJob.apply: JobWork(switching.apply, Right.units_read),
        ReorganisationJob.revert: JobWork(switching.revert, Right.units_read),
    },
    problems=("reorganisations.yaml",),
    upkeep=(Upkeep(run=scheduling.apply_due, every=timedelta(minutes=10)),),
    due=(scheduling.DUE,),
    notices=(deciding.WAITING, notices.REORGANISED, returning.RETURNED),
    tags={
        "reorganisations": "Mergers, splits and moves of units by decree: drafted, seen, applied."
    },
    audience={"reorganisations": frozenset({"integration"})},
    work=(deciding.WORK,),
    figures=Without("its counts are those of members"),
    sync=Without("clients read the tree by its own endpoints"),
    events=Without("a reorganisation is told by the units and rows that it changes"),
    operations=Without("reorganisations are decided while online"),
)
