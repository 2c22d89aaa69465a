"""Programmes of support: data, and whom they are for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.data_files import DATA, all_on, load
from app.models.households.households import Household, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.units import AreaType, Unit
from app.models.support.support import ProgrammeEntry, ProgrammeFile, ProgrammeQuery, ProgrammeRead
from app.services.households import households
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Pages, in_memory
from app.services.kernel.offers import SyncData
from app.services.poverty.assessments import deprived_of

_FILE = DATA / "support" / "programmes.yaml"


@cache
def catalogue() -> ProgrammeFile:
    """The programmes and the rules around them; what does not hold together starts no server."""
    return ProgrammeFile.model_validate(load(_FILE))


def find(code: str, on: date) -> ProgrammeEntry | None:
    running = all_on(catalogue().programmes, on)
    return next((programme for programme in running if programme.code == code), None)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a programme asks about a household; None where it is not known."""

    poverty_class: PovertyClass | None
    deprived: frozenset[str] | None
    female_headed: bool
    ethnic_minority: bool
    area: AreaType | None


def situation(db: Db, household_id: UUID) -> Situation:
    row = db.execute(
        sa.select(
            col(Household.poverty_class),
            col(Household.female_headed),
            col(Household.ethnic_minority),
            sa.func.coalesce(col(Household.area_type), col(Unit.area_type)).label("area"),
        )
        .join(Unit, col(Unit.id) == col(Household.commune_id), isouter=True)
        .where(col(Household.id) == household_id)
    ).one()
    return Situation(
        row.poverty_class,
        deprived_of(db, household_id),
        row.female_headed,
        row.ethnic_minority,
        None if row.area is None else AreaType(row.area),
    )


def lacking(programme: ProgrammeEntry, home: Situation) -> list[str]:
    """The terms of a programme that a household does not meet, by name."""
    terms = programme.eligibility
    unmet = []
    if terms.classes and home.poverty_class not in terms.classes:
        unmet.append("classes")
    if terms.deprived and not (home.deprived or frozenset()) & set(terms.deprived):
        unmet.append("deprived")
    if terms.female_headed is not None and home.female_headed is not terms.female_headed:
        unmet.append("female_headed")
    if terms.ethnic_minority is not None and home.ethnic_minority is not terms.ethnic_minority:
        unmet.append("ethnic_minority")
    if terms.area is not None and home.area is not terms.area:
        unmet.append("area")
    return unmet


def list_programmes(db: Db, actor: Actor, query: ProgrammeQuery) -> Pages:
    """Programmes that run on a day by code; with a household, whether they are for it."""
    on = query.on or local_today()
    home, told = None, False
    if query.household is not None:
        place = households.access(db, actor, query.household, Right.support_read)
        # The target group of a programme reveals the class of a household, and its origin.
        told = actor.covers(Right.members_ethnicity, place)
        if actor.covers(Right.poverty_read, place):
            home = situation(db, query.household)
    running = all_on(catalogue().programmes, on)
    return in_memory(((each.code,), _shown(each, home, origin=told)) for each in running)


def _known(_: Connection) -> Iterator[dict[str, Any]]:
    """Each as it runs today, else as it ran last."""
    today = local_today()
    by_start = sorted(catalogue().programmes, key=lambda programme: programme.valid_from)
    known = {each.code: each for each in by_start}
    known |= {each.code: each for each in all_on(by_start, today)}
    return (_shown(each, None, origin=False) for each in known.values())


SYNC = SyncData(
    name="support_programme",
    schema=ProgrammeRead,
    key="code",
    rows=_known,
    # They are about a household.
    derived=frozenset({"eligible", "lacking"}),
)


def _shown(programme: ProgrammeEntry, home: Situation | None, *, origin: bool) -> dict[str, Any]:
    hidden = programme.eligibility.ethnic_minority is not None and not origin
    unmet = None if home is None or hidden else lacking(programme, home)
    kept = programme.model_dump(exclude={"eligibility"})
    return ProgrammeRead(
        **kept,
        classes=programme.eligibility.classes,
        eligible=None if unmet is None else not unmet,
        lacking=unmet,
    ).model_dump()
