"""What happens to households: people come and go, the head changes, households split, join, move, end.

An act takes effect on the first day of the new state; what it ends has the day before as its last.
Each writes an event with what was before and after, in the same transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today
from app.errors import Problem, invalid
from app.models.base import new_id
from app.models.households.acts import (
    HeadChange,
    HouseholdClose,
    HouseholdJoin,
    HouseholdMove,
    HouseholdSplit,
    NewRole,
    PersonAdd,
    PersonLeave,
)
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdEventKind,
    HouseholdPerson,
    HouseholdPlace,
    PersonEnd,
    Relation,
)
from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.services.households.forming import (
    NewPlace,
    begin_stays,
    find_newcomer,
    formed,
    move_in,
    record,
)
from app.services.households.households import lock
from app.services.households.staying import (
    DAY,
    Stays,
    as_logged,
    as_newcomers,
    end,
    finish,
    last_place,
    open_stays,
    settle,
)
from app.services.kernel import provinces
from app.services.kernel.access import Actor
from app.services.kernel.created_once import insert, sent_before
from app.services.members import persons, spells
from app.services.units.rows import unit_of
from app.services.units.units import closed, ensure_open, find_target


def _open(session: Session, actor: Actor, household_id: UUID, on: date) -> Household:
    """The household, locked; it existed before the day and still does."""
    household = lock(session, actor, household_id, Right.members_write)
    if household.closed_on is not None:
        raise Problem("household_closed", closed_on=household.closed_on.isoformat())
    if on < household.opened_on:
        opened_on = household.opened_on.isoformat()
        raise invalid("before_household", "/effective_on", date=opened_on)
    return household


def _find(stays: Stays, person_id: UUID, pointer: str) -> HouseholdPerson:
    stay = stays.get(person_id)
    if stay is None:
        raise invalid("not_in_household", pointer)
    return stay


def _named(stays: Stays, roles: Sequence[NewRole], name: str) -> dict[UUID, Relation]:
    """Who is to be what; each is in the household, and named once."""
    found: dict[UUID, Relation] = {}
    for n, role in enumerate(roles):
        _find(stays, role.person_id, f"/{name}/{n}/person_id")
        if role.person_id in found:
            raise invalid("person_twice", f"/{name}/{n}/person_id")
        found[role.person_id] = role.relation
    return found


# -- people


def add_person(
    session: Session,
    actor: Actor,
    household_id: UUID,
    body: PersonAdd,
    person_id: UUID | None = None,
) -> Household:
    """A birth, a marriage, somebody who moves in. `person_id`: of who has none yet."""
    on = body.effective_on or local_today()
    household = _open(session, actor, household_id, on)
    if body.relation is Relation.head:
        raise invalid("one_head_needed", "/relation", heads=2)
    person = find_newcomer(session, actor, body)
    if person_id is not None and body.member_id is body.person_id is None:
        _ensure_nobody_has(session, person_id)
        person = replace(person, person_id=person_id)
    begin_stays(session, household, [person], on)
    settle(session, household)
    after = {"person_id": str(person.person_id), "relation": person.relation.value}
    record(session, household, HouseholdEventKind.person_added, on, after=after)
    return household


def _ensure_nobody_has(session: Session, person_id: UUID) -> None:
    of_a_person = sa.exists().where(col(HouseholdPerson.person_id) == person_id)
    if persons.find(session, person_id) or session.execute(sa.select(of_a_person)).scalar_one():
        raise Problem("id_taken")


def remove_person(
    session: Session, actor: Actor, household_id: UUID, person_id: UUID, body: PersonLeave
) -> Household:
    """A death, a marriage elsewhere, somebody who moves out; the head only after another is."""
    on = body.effective_on or local_today()
    household = _open(session, actor, household_id, on)
    stay = open_stays(session, household).get(person_id)
    if stay is None:
        raise invalid("not_in_household", "/person_id", place="path")
    if stay.relation is Relation.head:
        raise Problem("head_must_stay")
    before = {"person_id": str(person_id), "relation": stay.relation.value}
    member_id = stay.member_id
    end(session, [stay], on, body.reason)
    if member_id is not None:
        spells.stand_in_household(session, [member_id], None)
    settle(session, household)
    kind = HouseholdEventKind.person_left
    record(session, household, kind, on, before=before, after={"reason": body.reason.value})
    return household


def change_head(session: Session, actor: Actor, household_id: UUID, body: HeadChange) -> Household:
    """Another heads the household from a day on; the one before stays in it."""
    on = body.effective_on or local_today()
    household = _open(session, actor, household_id, on)
    stays = open_stays(session, household)
    if _find(stays, body.head_id, "/head_id").relation is Relation.head:
        return household
    roles = _named(stays, body.relations, "relations")
    _ensure_no_head(roles.values(), "/relations")
    if household.head_missing_since is None:
        roles = {household.head_id: Relation.other} | roles
    elif on < household.head_missing_since:
        since = household.head_missing_since.isoformat()
        raise invalid("before_stay", "/effective_on", date=since)
    roles = roles | {body.head_id: Relation.head}
    before = {"head_id": str(household.head_id), "people": as_logged(stays.values())}
    _change_roles(session, household, stays, roles, on)
    settle(session, household)
    after = {
        "head_id": str(body.head_id),
        "people": as_logged(open_stays(session, household).values()),
    }
    kind = HouseholdEventKind.head_changed
    record(session, household, kind, on, before=before, after=after, note=body.note)
    return household


def _ensure_no_head(relations: Iterable[Relation], pointer: str) -> None:
    if Relation.head in relations:
        raise invalid("one_head_needed", pointer, heads=2)


def _change_roles(
    session: Session, household: Household, stays: Stays, roles: dict[UUID, Relation], on: date
) -> None:
    changed = [
        (stays[person_id], relation)
        for person_id, relation in roles.items()
        if stays[person_id].relation is not relation
    ]
    people = as_newcomers(session, changed)
    end(session, [stay for stay, _ in changed], on, PersonEnd.role)
    begin_stays(session, household, people, on)


# -- households


def split(
    session: Session, actor: Actor, household_id: UUID, body: HouseholdSplit
) -> tuple[Household, bool]:
    """Some leave and form a household of their own, in the same place; sent twice with an id, it is
    one: (the new household, whether it is new)."""
    on = body.effective_on or local_today()
    household = lock(session, actor, household_id, Right.members_write)
    same = partial(_is_same_split, session, household_id, body)
    if (sent := sent_before(session, Household, body.id, same)) is not None:
        return sent, False
    household = _open(session, actor, household_id, on)
    stays = open_stays(session, household)
    roles = _named(stays, body.people, "people")
    if household.head_id in roles:
        raise Problem("head_must_stay")
    if body.head_id not in roles:
        raise invalid("not_in_household", "/head_id")
    roles[body.head_id] = Relation.head
    if sum(relation is Relation.head for relation in roles.values()) != 1:
        raise invalid("one_head_needed", "/people", heads=2)
    branch = unit_of(session, household.branch_id)
    ensure_open(branch, on, pointer="/effective_on")
    before = {"people": as_logged(stays.values())}
    leaving = [stays[person_id] for person_id in roles]
    people = as_newcomers(session, [(stay, roles[stay.person_id]) for stay in leaving])
    end(session, leaving, on, PersonEnd.split)
    values = {
        "id": body.id or new_id(),
        "code": body.code,
        "ethnic_minority": household.ethnic_minority,
    }
    place = NewPlace(branch, body.address or household.address, household.area_type)
    made = formed(place, people, on, values)
    insert(session, [made], {"pk_household": Problem("id_taken")})
    move_in(session, made, people)
    settle(session, household)
    kind = HouseholdEventKind.split
    after = {"people": as_logged(open_stays(session, household).values())}
    told = partial(record, session, kind=kind, on=on, before=before, note=body.note)
    told(household, after=after, other=made.id)
    after = {"people": as_logged(open_stays(session, made).values())}
    told(made, after=after, other=household.id)
    return made, True


def _is_same_split(
    session: Session, household_id: UUID, body: HouseholdSplit, existing: Household
) -> bool:
    event = session.exec(
        select(HouseholdEvent).where(
            col(HouseholdEvent.household_id) == existing.id,
            col(HouseholdEvent.other_household_id) == household_id,
            col(HouseholdEvent.kind) == HouseholdEventKind.split,
        )
    ).first()
    if event is None or body.effective_on not in (None, event.effective_on):
        return False
    moved = {person["person_id"] for person in (event.after or {}).get("people", [])}
    return moved == {str(person.person_id) for person in body.people}


def join(session: Session, actor: Actor, household_id: UUID, body: HouseholdJoin) -> Household:
    """The household ends and its people go into another; returns that one."""
    on = body.effective_on or local_today()
    if body.into_id == household_id:
        raise invalid("not_together", "/into_id", expected="household_id")
    # Locked in one order everywhere, so that two opposite joins do not deadlock.
    for each in sorted((household_id, body.into_id)):
        lock(session, actor, each, Right.members_write)
    household = _open(session, actor, household_id, on)
    into = _open(session, actor, body.into_id, on)
    stays = open_stays(session, household)
    roles = dict.fromkeys(stays, Relation.other) | _named(stays, body.relations, "relations")
    _ensure_no_head(roles.values(), "/relations")
    before = {"people": as_logged(stays.values())}
    before_into = {"people": as_logged(open_stays(session, into).values())}
    people = as_newcomers(session, [(stay, roles[stay.person_id]) for stay in stays.values()])
    end(session, stays.values(), on, PersonEnd.join)
    finish(session, household, on)
    begin_stays(session, into, people, on)
    settle(session, into)
    kind = HouseholdEventKind.joined
    record(session, household, kind, on, before=before, other=into.id, note=body.note)
    after = {"people": as_logged(open_stays(session, into).values())}
    record(
        session,
        into,
        kind,
        on,
        before=before_into,
        after=after,
        other=household.id,
        note=body.note,
    )
    return into


def move(session: Session, actor: Actor, household_id: UUID, body: HouseholdMove) -> Household:
    """Move the household from a day on; its poverty status moves with it."""
    on = body.effective_on or local_today()
    branch = find_target(
        session,
        actor,
        body.branch_id,
        Right.members_write,
        pointer="/branch_id",
        level=UnitLevel.branch,
    )
    ensure_open(branch, on, pointer="/effective_on")
    if branch.closed_on is not None:
        raise closed(branch, branch.closed_on, "/branch_id")
    household = _open(session, actor, household_id, on)
    before = _where(household)
    assert branch.province_id is not None  # noqa: S101  # every branch is in a province
    place = last_place(session, household)
    if on < place.valid_from:
        raise invalid("before_stay", "/effective_on", date=place.valid_from.isoformat())
    values: dict[str, Any] = {
        "branch_id": branch.id,
        "province_id": branch.province_id,
        "address": body.address,
        "area_type": body.area_type,
    }
    if on == place.valid_from:
        for name, value in values.items():
            setattr(place, name, value)
    else:
        place.valid_to = on - DAY
        session.flush()
        session.add(HouseholdPlace(household_id=household.id, valid_from=on, **values))
    # Also within a province: its rows may be behind (`provinces.following_later`).
    provinces.follow(session, Household, col(Household.id) == household.id, branch.province_id)
    for name, value in (values | {"commune_id": branch.commune_id}).items():
        setattr(household, name, value)
    session.flush()
    after = _where(household)
    kind = HouseholdEventKind.moved
    record(session, household, kind, on, before=before, after=after, note=body.note)
    return household


def _where(household: Household) -> dict[str, Any]:
    area = household.area_type
    return {
        "branch_id": household.branch_id,
        "address": household.address,
        "area_type": None if area is None else area.value,
    }


def close(session: Session, actor: Actor, household_id: UUID, body: HouseholdClose) -> Household:
    """The household is no more: everybody has died or gone away."""
    on = body.effective_on or local_today()
    household = _open(session, actor, household_id, on)
    stays = open_stays(session, household)
    before = {"people": as_logged(stays.values())}
    members = [stay.member_id for stay in stays.values() if stay.member_id is not None]
    end(session, stays.values(), on, PersonEnd.closed)
    finish(session, household, on)
    spells.stand_in_household(session, members, None)
    kind = HouseholdEventKind.closed
    record(session, household, kind, on, before=before, note=body.note)
    return household
