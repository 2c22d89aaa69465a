"""The account of poverty: stays and their roll-up, kept true in the transaction of every change.

Whatever writes decisions, places or people of a household through the unit of work has the account
restated before it commits: nothing can forget it. What writes in bulk (demo, imports) and what
moves units calls `restate` itself. Restating is idempotent: it replaces what is stored by what
follows from the history, and adds the difference to the roll-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Session, col, select

from app.db import Columns, SessionListener, chunks, insert_many, upsert
from app.models.base import Uuid, new_id, table_of
from app.models.households.households import Household, HouseholdPerson, HouseholdPlace, Relation
from app.models.kernel.units import (
    AreaType,
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitIdentifier,
    UnitLevel,
)
from app.models.members.members import Gender, Member
from app.models.poverty.flows import PovertyFlow, PovertyStay
from app.models.poverty.poverty import PovertyStatus, Restated
from app.services.figures import stale
from app.services.members.following import Changed
from app.services.poverty.stays import (
    Counted,
    Flow,
    History,
    Path,
    Stay,
    StayDecision,
    StayPerson,
    StayPlace,
    Tree,
    changed,
    ethnicity_on,
    stays_of,
)

_DAY = timedelta(days=1)
_LEVELS = (UnitLevel.commune, UnitLevel.district, UnitLevel.province)


def restate(session: Session, household_ids: Iterable[UUID]) -> None:
    """Bring the account of these households in step with their history."""
    ids = sorted(set(household_ids))
    for chunk in chunks(ids):
        _restate(session, chunk)


def _restate(session: Session, ids: Sequence[UUID]) -> None:
    decisions = _decisions(session, ids)
    has_stays = (
        sa.select(col(PovertyStay.household_id))
        .distinct()
        .where(col(PovertyStay.household_id).in_(ids))
    )
    stored = set(session.execute(has_stays).scalars())
    concerned = [id_ for id_ in ids if id_ in decisions or id_ in stored]
    if not concerned:
        return
    # Of two at once the second finds what the first has stored.
    held = sa.select(col(Household.id), col(Household.ethnic_minority)).where(
        col(Household.id).in_(concerned)
    )
    rows = session.execute(held.order_by(col(Household.id)).with_for_update())
    minority = {row.id: row.ethnic_minority for row in rows}
    old = _stored(session, concerned)
    places, people = _places(session, concerned), _people(session, concerned)
    histories = {
        id_: History(places[id_], decisions.get(id_, []), people[id_], minority[id_])
        for id_ in concerned
        if id_ in minority
    }
    _remember_ethnicity(session, histories.values())
    tree = _tree(session, {place.branch_id for rows in places.values() for place in rows})
    new = {id_: stays_of(history, tree) for id_, history in histories.items()}
    differing = [id_ for id_ in concerned if old.get(id_, []) != new.get(id_, [])]
    if not differing:
        return
    _replace(session, differing, new)
    stays = (stay for of in (old, new) for id_ in differing for stay in of.get(id_, []))
    stale.mark(session, "poverty_stay", {stay.branch_id for stay in stays})
    _add(session, changed((old.get(i, []) for i in differing), (new.get(i, []) for i in differing)))


def _remember_ethnicity(session: Session, histories: Iterable[History]) -> None:
    """A decision keeps what was recorded when it was first counted: what becomes of the records of
    its people later does not move the past."""
    recorded = [
        {"decision_id": decision.id, "recorded": ethnicity}
        for history in histories
        for decision in history.decisions
        if decision.ethnicity is None
        and (ethnicity := ethnicity_on(history.people, decision.valid_from)) is not None
    ]
    if recorded:
        session.connection().execute(_REMEMBER, recorded)


_REMEMBER = (
    sa.update(PovertyStatus)
    .where(col(PovertyStatus.id) == sa.bindparam("decision_id", type_=Uuid))
    .values(ethnicity=sa.bindparam("recorded"))
)


def follow_members(session: Session, changed: Sequence[Changed]) -> None:
    """A correction of what households are counted by restates their decisions, and says so."""
    for cause, name in _CAUSES.items():
        ids = [now["id"] for old, now in changed if old[name] != now[name]]
        for chunk in chunks(ids):
            _restate_of(session, chunk, cause)


_CAUSES = {Restated.ethnicity_corrected: "ethnicity", Restated.gender_corrected: "gender"}


def _restate_of(session: Session, member_ids: Sequence[UUID], cause: Restated) -> None:
    named = sa.select(col(HouseholdPerson.household_id)).where(
        col(HouseholdPerson.member_id).in_(member_ids)
    )
    ids = sorted(set(session.execute(named).scalars()))
    people = _people(session, ids)
    decisions = session.exec(
        select(PovertyStatus)
        .where(col(PovertyStatus.household_id).in_(ids), col(PovertyStatus.annulled_on).is_(None))
        .order_by(col(PovertyStatus.id))
        .with_for_update()
    )
    for decision in decisions:
        ethnicity = ethnicity_on(people[decision.household_id], decision.valid_from)
        if cause is Restated.gender_corrected or decision.ethnicity != ethnicity:
            decision.restated_for, decision.ethnicity = cause, ethnicity
    session.flush()
    restate(session, ids)


# -- what it follows from


def _decisions(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[StayDecision]]:
    rows = session.execute(
        sa.select(
            col(PovertyStatus.household_id),
            col(PovertyStatus.valid_from),
            col(PovertyStatus.valid_to),
            col(PovertyStatus.poverty_class),
            col(PovertyStatus.change),
            col(PovertyStatus.causes),
            col(PovertyStatus.ethnicity),
            col(PovertyStatus.id),
        )
        .where(col(PovertyStatus.household_id).in_(ids), col(PovertyStatus.annulled_on).is_(None))
        .order_by(col(PovertyStatus.valid_from))
    )
    found: dict[UUID, list[StayDecision]] = {}
    for id_, since, until, class_, change, causes, *recorded in rows:
        decision = StayDecision(since, until, class_, change, tuple(causes), *recorded)
        found.setdefault(id_, []).append(decision)
    return found


def _places(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[StayPlace]]:
    rows = session.execute(
        sa.select(
            col(HouseholdPlace.household_id),
            col(HouseholdPlace.valid_from),
            col(HouseholdPlace.valid_to),
            col(HouseholdPlace.branch_id),
            col(HouseholdPlace.area_type),
        )
        .where(col(HouseholdPlace.household_id).in_(ids))
        .order_by(col(HouseholdPlace.valid_from))
    )
    found = defaultdict(list)
    for id_, *rest in rows:
        found[id_].append(StayPlace(*rest))
    return found


def _people(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[StayPerson]]:
    rows = session.execute(
        sa.select(
            col(HouseholdPerson.household_id),
            col(HouseholdPerson.valid_from),
            col(HouseholdPerson.valid_to),
            col(HouseholdPerson.relation),
            sa.func.coalesce(col(HouseholdPerson.gender), col(Member.gender)),
            col(Member.ethnicity),
        )
        .join(Member, col(Member.id) == col(HouseholdPerson.member_id), isouter=True)
        .where(col(HouseholdPerson.household_id).in_(ids))
        .order_by(col(HouseholdPerson.valid_from), col(HouseholdPerson.person_id))
    )
    found = defaultdict(list)
    for id_, since, until, relation, gender, ethnicity in rows:
        is_head, is_woman = relation is Relation.head, gender == Gender.female
        found[id_].append(StayPerson(since, until, is_head, is_woman, ethnicity))
    return found


def _tree(session: Session, branch_ids: Iterable[int]) -> Tree:
    ids = list(branch_ids)
    rows = session.execute(
        sa.select(
            col(UnitClosure.descendant_id),
            col(UnitClosure.valid_from),
            col(UnitClosure.valid_to),
            col(Unit.id),
            col(Unit.level),
        )
        .join(Unit, col(Unit.id) == col(UnitClosure.ancestor_id))
        .where(col(UnitClosure.descendant_id).in_(ids), col(Unit.level).in_(_LEVELS))
    ).all()
    above: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        above[row.descendant_id].append(row)
    areas = _areas(session, {row.id for row in rows if row.level is UnitLevel.commune})
    return Tree({id_: _stretches(above[id_]) for id_ in ids}, areas)


def _areas(
    session: Session, commune_ids: Iterable[int]
) -> dict[int, list[tuple[date, AreaType | None]]]:
    """From which day on each commune had which area type."""
    ids = list(commune_ids)
    of_today = sa.select(col(Unit.id), col(Unit.area_type)).where(col(Unit.id).in_(ids))
    found: dict[int, list[tuple[date, AreaType | None]]] = {
        id_: [(date.min, area)] for id_, area in session.execute(of_today)
    }
    changes = (
        sa.select(
            col(UnitIdentifier.unit_id), col(UnitIdentifier.valid_from), col(UnitIdentifier.value)
        )
        .where(
            col(UnitIdentifier.unit_id).in_(ids),
            col(UnitIdentifier.scheme) == IdentifierScheme.area_type,
        )
        .order_by(col(UnitIdentifier.unit_id), col(UnitIdentifier.valid_from))
    )
    for id_, dated in groupby(session.execute(changes), key=lambda row: row.unit_id):
        found[id_] = [(row.valid_from, AreaType(row.value)) for row in dated]
    return found


def _stretches(rows: Sequence[Any]) -> list[tuple[date, Path]]:
    """The path of a branch from each day on which it changed."""
    cuts = {row.valid_from for row in rows}
    cuts |= {row.valid_to + _DAY for row in rows if row.valid_to is not None}
    found: list[tuple[date, Path]] = []
    for day in sorted(cuts):
        on = {
            row.level: row.id
            for row in rows
            if row.valid_from <= day and (row.valid_to is None or day <= row.valid_to)
        }
        path = Path(*map(on.get, _LEVELS))
        # Nothing above it: it has closed, and is counted where it stood last.
        if on and (not found or found[-1][1] != path):
            found.append((day, path))
    return found


# -- what is stored

STAY = (
    *("household_id", "poverty_class", "valid_from", "valid_to", "entered", "left_by", "branch_id"),
    *("commune_id", "district_id", "province_id"),
    *("people", "area", "ethnicity", "minority", "female_head", "causes"),
)

STAY_COLUMNS: list[Any] = [getattr(PovertyStay, name) for name in STAY]


def _stored(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[Stay]]:
    rows = session.execute(
        sa.select(*STAY_COLUMNS)
        .where(col(PovertyStay.household_id).in_(ids))
        .order_by(col(PovertyStay.valid_from))
    )
    found: dict[UUID, list[Stay]] = {}
    for row in rows:
        found.setdefault(row.household_id, []).append(stay_of(row))
    return found


def stay_of(row: Any) -> Stay:
    """A row of STAY."""
    counted = Counted._make((*row[10:15], tuple(row[15])))
    return Stay._make((*row[1:7], Path._make(row[7:10]), counted))


def _replace(session: Session, ids: Sequence[UUID], new: Mapping[UUID, Sequence[Stay]]) -> None:
    replaced = sa.delete(PovertyStay).where(col(PovertyStay.household_id).in_(ids))
    session.connection().execute(replaced)
    rows = [stay_row(id_, stay) for id_ in ids for stay in new.get(id_, ())]
    insert_many(session, PovertyStay, rows)


def stay_row(household_id: UUID, stay: Stay) -> dict[str, Any]:
    values = (household_id, *stay[:6], *stay.was, *stay.counted[:-1])
    return {
        "id": new_id(),
        **dict(zip(STAY, values, strict=False)),
        "causes": list(stay.counted.causes),
    }


def _add(session: Session, flows: Mapping[Flow, tuple[int, int]]) -> None:
    """In one order, so that nobody waits in a circle for the rows of the units above."""
    if not flows:
        return
    rows = [
        {**flow._asdict(), "households": flows[flow][0], "people": flows[flow][1]}
        for flow in sorted(flows)
    ]
    upsert(session, PovertyFlow, rows, _added)
    taken_from = [flow._asdict() for flow in sorted(flows) if min(flows[flow]) < 0]
    if taken_from:
        session.connection().execute(_FORGET_NOTHING, taken_from)


# What is taken back leaves no row that counts nobody.
_FORGET_NOTHING = sa.delete(PovertyFlow).where(
    *(
        getattr(PovertyFlow, name) == sa.bindparam(name, type_=table_of(PovertyFlow).c[name].type)
        for name in Flow._fields
    ),
    col(PovertyFlow.households) == 0,
    col(PovertyFlow.people) == 0,
)


def _added(old: Columns, new: Columns) -> dict[str, Any]:
    return {name: old[name] + new[name] for name in ("households", "people")}


# -- nothing forgets it

_WATCHED = (PovertyStatus, HouseholdPlace, HouseholdPerson)


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    touched: set[UUID] = session.info.setdefault("poverty_touched", set())
    for instance in (*session.new, *session.dirty, *session.deleted):
        if isinstance(instance, _WATCHED):
            touched.add(instance.household_id)
        elif isinstance(instance, Household):
            touched.add(instance.id)


def _before_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    touched: set[UUID] = session.info.pop("poverty_touched", set())
    if touched:
        restate(session, touched)


def _forget(session: Session) -> None:
    session.info.pop("poverty_touched", None)


LISTENERS: Final[tuple[SessionListener, ...]] = (
    ("after_flush", _after_flush),
    ("before_commit", _before_commit),
    ("after_rollback", _forget),
)
