"""New households and the people who come into one: who they are, since when, and that each is in one only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, invalid
from app.models.base import new_id
from app.models.households.households import (
    Household,
    HouseholdCreate,
    HouseholdEvent,
    HouseholdEventKind,
    HouseholdPerson,
    HouseholdPlace,
    PersonInput,
    Relation,
)
from app.models.kernel.access import Right
from app.models.kernel.units import AreaType, Unit, UnitLevel
from app.models.members.members import Gender, Member
from app.models.members.spells import Left
from app.services.households.households import MASKS
from app.services.households.line import head_columns
from app.services.kernel.access import (
    Actor,
    Db,
)
from app.services.kernel.changes import origin_of
from app.services.kernel.created_once import created_once, holds, insert
from app.services.members import following, persons, spells
from app.services.members.following import Ending
from app.services.units.units import closed, ensure_open, find_target

_OVERLAPS = ("ex_household_person_days", "uq_household_person_open")


def create(session: Session, actor: Actor, body: HouseholdCreate) -> tuple[Household, bool]:
    """Enter a household with its people. The same id with the same content makes no second one."""
    branch = find_target(
        session,
        actor,
        body.branch_id,
        Right.members_write,
        pointer="/branch_id",
        level=UnitLevel.branch,
    )
    body = body.model_copy(update={"branch_id": branch.id})
    people: list[Newcomer] = []

    def made() -> Household:
        nonlocal people
        people, since = _checked(session, actor, body, branch)
        own = {"ethnic_minority", "merit", "no_labour_capacity", "code", "union_label"}
        values = body.model_dump(include=own)
        values["union_label_on"] = None if body.union_label is None else local_today()
        return formed(NewPlace(branch, body.address, body.area_type), people, since, values)

    household, is_new = created_once(
        session, Household, body.id, made, same=partial(_is_same, session, actor, body)
    )
    if is_new:
        move_in(session, household, people)
        kind, since = HouseholdEventKind.formed, household.opened_on
        after = {"branch_id": branch.id, "people": _as_sent(body.people)}
        record(session, household, kind, since, after=after)
    return household, is_new


def _checked(
    db: Db, actor: Actor, body: HouseholdCreate, branch: Unit
) -> "tuple[list[Newcomer], date]":
    """The people of a household that may be formed as written, and since when."""
    since = body.opened_on or local_today()
    ensure_open(branch, since, pointer="/opened_on")
    if branch.closed_on is not None:  # on that day it was open, but the household stands on
        raise closed(branch, branch.closed_on, "/branch_id")
    return Newcomers.of(db, actor, body.people), since


def ensure_possible(db: Db, actor: Actor, body: HouseholdCreate) -> None:
    """What `create` would refuse, without writing anything."""
    branch = find_target(
        db, actor, body.branch_id, Right.members_write, pointer="/branch_id", level=UnitLevel.branch
    )
    people, since = _checked(db, actor, body, branch)
    _ensure_free(db, people, since)
    members = [each.member_id for each in people if each.member_id]
    _ensure_alive(people, spells.deaths(db, members), since)


def _is_same(session: Session, actor: Actor, body: HouseholdCreate, household: Household) -> bool:
    """Fields the actor may not see do not count: comparing them would reveal their values."""
    event = session.exec(
        select(HouseholdEvent).where(
            col(HouseholdEvent.household_id) == household.id,
            col(HouseholdEvent.kind) == HouseholdEventKind.formed,
        )
    ).one_or_none()
    after = {"branch_id": body.branch_id, "people": _as_sent(body.people)}
    hidden = set(actor.hidden(MASKS, household))
    kept = {"code", "address", "area_type", "ethnic_minority", "merit", "no_labour_capacity"}
    kept |= {"union_label"}
    sent = body.model_dump(include=kept - hidden)
    if body.opened_on is not None:
        sent["opened_on"] = body.opened_on
    return event is not None and event.after == after and holds(sent)(household)


def _as_sent(people: Iterable[PersonInput]) -> list[dict[str, Any]]:
    return [person.model_dump(mode="json") for person in people]


@dataclass(frozen=True, slots=True)
class NewPlace:
    branch: Unit
    address: str | None
    area_type: AreaType | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who comes into a household, with what a head is listed by."""

    person_id: UUID
    member_id: UUID | None
    name: str
    given_name: str | None
    gender: Gender | None
    relation: Relation
    own: Mapping[str, Any]


class Newcomers:
    @staticmethod
    def of(db: Db, actor: Actor, people: Sequence[PersonInput]) -> list[Newcomer]:
        """People as sent, each checked; members are locked in the order of their ids."""
        members: dict[UUID, Any] = {}
        named = sorted((p.member_id, n) for n, p in enumerate(people) if p.member_id is not None)
        for member_id, n in named:
            if member_id in members:
                raise invalid("person_twice", f"/people/{n}/member_id")
            members[member_id] = persons.find_member(
                db, actor, member_id, pointer=f"/people/{n}/member_id", alone=True
            )
        heads = [n for n, person in enumerate(people) if person.relation is Relation.head]
        if len(heads) != 1:
            raise invalid("one_head_needed", "/people", heads=len(heads))
        for n, person in enumerate(people):
            _ensure_no_member(db, person, f"/people/{n}")
        shown = _shown(db, members)
        return [newcomer(person, members, shown, f"/people/{n}") for n, person in enumerate(people)]


def _shown(db: Db, member_ids: Iterable[UUID]) -> dict[UUID, Any]:
    """What a household shows of these members, should they head it."""
    statement: AnySelect = sa.select(
        col(Member.id), col(Member.given_name), col(Member.gender)
    ).where(col(Member.id).in_(list(member_ids)))
    return {row.id: row for row in db.execute(statement)}


def newcomer(
    person: PersonInput,
    members: Mapping[UUID, Any],
    shown: Mapping[UUID, Any],
    pointer: str,
) -> Newcomer:
    """A member's name is on her record; for another person the name is required."""
    own = person.model_dump(include={"full_name", "birth_date", "gender"})
    if person.member_id is not None:
        given = [name for name, value in own.items() if value is not None]
        if given:
            raise invalid("not_together", f"{pointer}/{given[0]}", expected="member_id")
        if person.person_id not in (None, person.member_id):
            raise invalid("not_together", f"{pointer}/person_id", expected="member_id")
        found = members[person.member_id]
        return Newcomer(
            person.member_id,
            person.member_id,
            found.full_name,
            shown[person.member_id].given_name,
            shown[person.member_id].gender,
            person.relation,
            dict.fromkeys(own),
        )
    if person.full_name is None:
        raise invalid("one_of_needed", f"{pointer}/full_name", expected=("member_id", "full_name"))
    person_id = person.person_id or new_id()
    return Newcomer(person_id, None, person.full_name, None, person.gender, person.relation, own)


def find_newcomer(session: Session, actor: Actor, person: PersonInput) -> Newcomer:
    """One person named in a request body."""
    members: dict[UUID, Any] = {}
    if person.member_id is not None:
        members[person.member_id] = persons.find_member(
            session, actor, person.member_id, pointer="/member_id", alone=True
        )
    _ensure_no_member(session, person, "")
    return newcomer(person, members, _shown(session, members), "")


def _ensure_no_member(db: Db, person: PersonInput, pointer: str) -> None:
    """A member is named by `member_id`, so that her record follows her household."""
    if person.person_id is None or person.member_id is not None:
        return
    if persons.find(db, person.person_id) is not None:
        raise invalid("person_is_member", f"{pointer}/person_id")


def formed(
    place: NewPlace, people: Sequence[Newcomer], since: date, values: Mapping[str, Any]
) -> Household:
    """The row of a new household; once it is inserted, its people move in."""
    [head] = [person for person in people if person.relation is Relation.head]
    branch = place.branch
    assert branch.province_id is not None  # noqa: S101  # every branch is in a province
    now = utc_now()
    return Household(
        **values,
        **head_columns(head.person_id, head.name, head.given_name, head.gender),
        province_id=branch.province_id,
        commune_id=branch.commune_id,
        branch_id=branch.id,
        address=place.address,
        area_type=place.area_type,
        person_count=len(people),
        opened_on=since,
        created_at=now,
        updated_at=now,
    )


def move_in(session: Session, household: Household, people: Sequence[Newcomer]) -> None:
    """The first place and the first people of a household just inserted."""
    session.add(
        HouseholdPlace(
            household_id=household.id,
            valid_from=household.opened_on,
            branch_id=household.branch_id,
            province_id=household.province_id,
            address=household.address,
            area_type=household.area_type,
        )
    )
    begin_stays(session, household, people, household.opened_on)


def begin_stays(
    session: Session, household: Household, people: Iterable[Newcomer], since: date
) -> None:
    """The people are in the household from a day on; 409 for who is in another then."""
    people = list(people)
    now = utc_now()
    _ensure_free(session, people, since)
    died = spells.deaths(session, [each.member_id for each in people if each.member_id])
    _ensure_alive(people, died, since)
    stays = [
        HouseholdPerson(
            household_id=household.id,
            person_id=person.person_id,
            member_id=person.member_id,
            province_id=household.province_id,
            relation=person.relation,
            valid_from=since,
            created_at=now,
            updated_at=now,
            **person.own,
        )
        for person in people
    ]
    if stays:  # of two at once who put one person into two households, one comes second
        insert(session, stays, dict.fromkeys(_OVERLAPS, _in_another(people[0], None)))
    members = [person.member_id for person in people if person.member_id is not None]
    spells.stand_in_household(session, members, household.id)
    for member_id, on in died.items():
        following.end(session, Ending(member_id, on, Left.death))


def _ensure_free(db: Db, people: Sequence[Newcomer], since: date) -> None:
    stays = db.execute(
        sa.select(col(HouseholdPerson.person_id), col(HouseholdPerson.valid_from)).where(
            col(HouseholdPerson.person_id).in_([person.person_id for person in people]),
            sa.or_(col(HouseholdPerson.valid_to).is_(None), col(HouseholdPerson.valid_to) >= since),
        )
    ).all()
    if stays:
        [person] = [each for each in people if each.person_id == stays[0].person_id]
        raise _in_another(person, stays[0].valid_from)


def _ensure_alive(people: Sequence[Newcomer], died: Mapping[UUID, date], since: date) -> None:
    for person in people:
        on = died.get(person.member_id) if person.member_id else None
        if on is not None and on <= since:
            raise Problem(
                "person_deceased",
                person=person.name,
                date=on.isoformat(),
                errors=[FieldError("body", "/people", "person_deceased")],
                extra={"person_id": str(person.person_id)},
            )


def _in_another(person: Newcomer, since: date | None) -> Problem:
    return Problem(
        "person_in_household",
        person=person.name,
        since="?" if since is None else since.isoformat(),
        errors=[FieldError("body", "/people", "person_in_household")],
        extra={"person_id": str(person.person_id)},
    )


def record(
    session: Session,
    household: Household,
    kind: HouseholdEventKind,
    on: date,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    other: UUID | None = None,
    note: str | None = None,
) -> None:
    """Write down what has happened, in the same transaction."""
    session.add(
        HouseholdEvent(
            household_id=household.id,
            other_household_id=other,
            province_id=household.province_id,
            kind=kind,
            effective_on=on,
            before=before,
            after=after,
            note=note,
            account_id=origin_of(session).account_id,
            at=utc_now(),
        )
    )
    session.flush()
