"""Households: lists, one household as of a day, forming one, what has no history of its own.

Whoever may see members sees households; what tells of poverty is masked without `poverty:read`.
"""

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
from app.errors import FieldError, Problem, invalid, not_found
from app.models.base import new_id
from app.models.households.households import (
    EventRead,
    Household,
    HouseholdCreate,
    HouseholdEvent,
    HouseholdEventKind,
    HouseholdItem,
    HouseholdPerson,
    HouseholdPlace,
    HouseholdQuery,
    HouseholdUpdate,
    PersonInput,
    Relation,
)
from app.models.kernel.access import Right
from app.models.kernel.units import AreaType, Unit, UnitClosure, UnitLevel
from app.models.members.members import Gender, Member
from app.models.poverty.poverty import PovertyStatus
from app.services.households import gaps
from app.services.households.line import head_columns
from app.services.kernel import changes
from app.services.kernel.access import (
    Actor,
    Db,
    ensure,
    ensure_revision,
    forbidden,
    require_somewhere,
    within,
)
from app.services.kernel.created_once import created_once, holds, insert
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.members import persons, spells
from app.services.members import scope as member_scope
from app.services.units.units import ensure_open, find_target, valid_on
from app.text import search_words

MASKS = {
    "ethnic_minority": Right.members_ethnicity,
    "merit": Right.poverty_read,
    "no_labour_capacity": Right.poverty_read,
    "poverty_status": Right.poverty_read,
    "poverty_since": Right.poverty_read,
    "assessed_class": Right.poverty_read,
    "assessed_on": Right.poverty_read,
    "union_label": Right.poverty_read,
    "union_label_on": Right.poverty_read,
}
_OVERLAPS = ("ex_household_person_days", "uq_household_person_open")

# -- reading

_STORED = {"poverty_status": "poverty_class"}
_COMMUNE = sa.orm.aliased(Unit)
_ITEM: AnySelect = sa.select(
    *(
        sa.func.coalesce(col(Household.area_type), col(_COMMUNE.area_type)).label(name)
        if name == "area_type"
        else getattr(Household, _STORED.get(name, name)).label(name)
        for name in HouseholdItem.model_fields
        if name != "masked"
    ),
    col(Household.sort_key),
).join(_COMMUNE, col(_COMMUNE.id) == col(Household.commune_id), isouter=True)


def list_households(db: Db, actor: Actor, query: HouseholdQuery) -> Pages:
    """Households in scope by the name of the head; a filter needs the right to its field."""
    asked = {"poverty_status": query.class_} | query.model_dump(include=set(MASKS))
    rights = {MASKS[name] for name, value in asked.items() if value is not None}
    rights |= gaps.rights(query)
    scope = member_scope.held(db, actor, sorted(rights))
    if query.unit is not None:
        scope = member_scope.narrowed(db, actor, scope, query.unit, "/unit")
    here = within(Household, scope)
    statement = _ITEM.where(here, *_filters(query), *gaps.filters(query))
    return pages(statement, _BY_HEAD, each(partial(_shown, actor)))


_BY_HEAD = Order(col(Household.sort_key), col(Household.id))


def _filters(query: HouseholdQuery) -> list[sa.ColumnElement[bool]]:
    is_open = col(Household.closed_on).is_(None)
    wanted: list[sa.ColumnElement[bool]] = [~is_open if query.closed else is_open]
    equal = ("female_headed", "ethnic_minority", "merit", "no_labour_capacity", "code")
    wanted += [
        col(getattr(Household, name)) == value
        for name, value in query.model_dump(include=set(equal)).items()
        if value is not None
    ]
    if query.class_ is not None:
        wanted.append(col(Household.poverty_class) == query.class_)
    if query.area_type is not None:
        area = sa.func.coalesce(col(Household.area_type), col(_COMMUNE.area_type))
        wanted.append(area == query.area_type)
    if query.q is not None:
        key = col(Household.search_key)
        words = [
            key.contains(f"={marked}" if marked else f" {bare}", autoescape=True)
            for bare, marked in search_words(query.q)
        ]
        coded = col(Household.code) == query.q.strip()
        wanted.append(sa.or_(sa.and_(*words), coded) if words else coded)
    return wanted


def _shown(actor: Actor, row: Any) -> dict[str, Any]:
    item = {name: getattr(row, name) for name in HouseholdItem.model_fields if name != "masked"}
    masked = [name for name, right in MASKS.items() if not actor.covers(right, row)]
    return item | dict.fromkeys(masked) | {"masked": masked}


def get_household(
    db: Db, actor: Actor, household_id: UUID, as_of: date | None = None
) -> dict[str, Any]:
    """One household with its people; `as_of`: the people, the place and the class of that day."""
    row = db.execute(_ITEM.where(col(Household.id) == household_id)).one_or_none()
    if row is None or not actor.covers(Right.members_read, row):
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    item = _shown(actor, row)
    if as_of is not None:
        item |= _of_day(db, household_id, as_of, masked=item["masked"])
    day = as_of or row.closed_on or local_today()
    return item | {"people": people_on(db, actor, household_id, day)}


def _of_day(db: Db, household_id: UUID, day: date, masked: Sequence[str]) -> dict[str, Any]:
    place = place_on(db, household_id, day)
    if place is None:
        raise not_found()
    of_day: dict[str, Any] = {"branch_id": place.branch_id, "commune_id": place.commune_id}
    of_day |= {"address": place.address, "area_type": place.area_type}
    if "poverty_status" not in masked:
        status = status_on(db, household_id, day)
        of_day["poverty_status"] = None if status is None else status.poverty_class
        of_day["poverty_since"] = None if status is None else status.valid_from
    return of_day


def status_on(db: Db, household_id: UUID, day: date) -> Any:
    """The decision in force on a day: `poverty_class`, `valid_from`, `valid_to`; None without."""
    return db.execute(
        sa.select(
            col(PovertyStatus.id),
            col(PovertyStatus.poverty_class),
            col(PovertyStatus.valid_from),
            col(PovertyStatus.valid_to),
        ).where(
            col(PovertyStatus.household_id) == household_id,
            col(PovertyStatus.annulled_on).is_(None),
            valid_on(PovertyStatus, day),
        )
    ).one_or_none()


@dataclass(frozen=True, slots=True)
class PlaceOn:
    """Where a household lived on a day, by the tree of that day."""

    branch_id: int
    commune_id: int | None
    province_id: int
    address: str | None
    area_type: AreaType | None


def place_on(db: Db, household_id: UUID, day: date) -> PlaceOn | None:
    """None when the household did not exist. The area type is that of the commune of the day: the
    same house may be urban one day and rural the next (domain facts, 2.1)."""
    row = db.execute(
        sa.select(HouseholdPlace.__table__).where(  # type: ignore[attr-defined]  # SQLModel hides __table__
            col(HouseholdPlace.household_id) == household_id, valid_on(HouseholdPlace, day)
        )
    ).one_or_none()
    if row is None:
        return None
    above = db.execute(
        sa.select(col(Unit.id), col(Unit.area_type))
        .join(UnitClosure, col(UnitClosure.ancestor_id) == col(Unit.id))
        .where(
            col(UnitClosure.descendant_id) == row.branch_id,
            col(Unit.level) == UnitLevel.commune,
            valid_on(UnitClosure, day),
        )
    ).one_or_none()
    commune_id, area = (None, None) if above is None else (above.id, above.area_type)
    return PlaceOn(row.branch_id, commune_id, row.province_id, row.address, row.area_type or area)


_PERSON: AnySelect = sa.select(
    col(HouseholdPerson.person_id),
    col(HouseholdPerson.member_id),
    sa.func.coalesce(col(Member.full_name), col(HouseholdPerson.full_name)).label("full_name"),
    sa.func.coalesce(col(Member.birth_date), col(HouseholdPerson.birth_date)).label("birth_date"),
    sa.func.coalesce(col(Member.gender), col(HouseholdPerson.gender)).label("gender"),
    col(HouseholdPerson.relation),
    col(HouseholdPerson.valid_from),
    col(HouseholdPerson.valid_to),
    col(HouseholdPerson.ended_by),
    col(Member.province_id),
    col(Member.commune_id),
    col(Member.branch_id),
).join(Member, col(Member.id) == col(HouseholdPerson.member_id), isouter=True)


def people_on(db: Db, actor: Actor, household_id: UUID, day: date) -> list[dict[str, Any]]:
    """The head first, then as they came. Of a member out of sight the id and nothing else."""
    head_first = sa.case((col(HouseholdPerson.relation) == Relation.head, 0), else_=1)
    rows = db.execute(
        _PERSON.where(
            col(HouseholdPerson.household_id) == household_id, valid_on(HouseholdPerson, day)
        ).order_by(head_first, col(HouseholdPerson.valid_from), col(HouseholdPerson.id))
    ).all()
    return [_person(actor, row) for row in rows]


def _person(actor: Actor, row: Any) -> dict[str, Any]:
    item = dict(row._mapping)
    for name in ("province_id", "commune_id", "branch_id"):
        del item[name]
    if row.member_id is not None and not actor.covers(Right.members_read, row):
        item |= {"full_name": None, "birth_date": None, "gender": None}
    return item


def known(db: Db, *those: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Households as lists have them and with nothing masked, for services that compare."""
    return db.execute(_ITEM.where(*those).order_by(col(Household.id))).all()


def births_of_heads(db: Db, household_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """When the heads of households of today were born, as far as it is known."""
    rows = db.execute(
        _PERSON.add_columns(col(HouseholdPerson.household_id)).where(
            col(HouseholdPerson.household_id).in_(household_ids),
            col(HouseholdPerson.relation) == Relation.head,
            col(HouseholdPerson.valid_to).is_(None),
        )
    )
    return dict.fromkeys(household_ids) | {row.household_id: row.birth_date for row in rows}


def list_events(db: Db, actor: Actor, household_id: UUID) -> Pages:
    """What happened to a household, the first first."""
    access(db, actor, household_id, Right.members_read)
    statement = sa.select(
        *(getattr(HouseholdEvent, name) for name in EventRead.model_fields)
    ).where(col(HouseholdEvent.household_id) == household_id)
    return pages(statement, Order(col(HouseholdEvent.id)))


_PATH: AnySelect = sa.select(
    col(Household.id),
    col(Household.province_id),
    col(Household.commune_id),
    col(Household.branch_id),
    col(Household.opened_on),
    col(Household.closed_on),
).where(col(Household.id) == sa.bindparam("household_id"))


def access(db: Db, actor: Actor, household_id: UUID, right: Right) -> Any:
    """A household named in an address: 404 when out of sight, 403 without the right."""
    row = db.execute(_PATH, {"household_id": household_id}).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    ensure(db, actor, right, row, seen_with=Right.members_read)
    return row


def hold(session: Session, household_id: UUID) -> Household | None:
    """The household: whatever else changes it waits until the commit."""
    return session.get(Household, household_id, with_for_update=True)


def lock(session: Session, actor: Actor, household_id: UUID, right: Right) -> Household:
    """The household to write to, held."""
    household = hold(session, household_id)
    if household is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, right, household, seen_with=Right.members_read)
    return household


# -- forming one


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
    people: list[Newcomer] = []

    def made() -> Household:
        nonlocal people
        people, since = _checked(session, actor, body, branch)
        own = {"ethnic_minority", "merit", "no_labour_capacity", "code", "union_label"}
        values = body.model_dump(include=own)
        values["union_label_on"] = None if body.union_label is None else local_today()
        return formed(Place(branch, body.address, body.area_type), people, since, values)

    household, is_new = created_once(
        session, Household, body.id, made, same=partial(_is_same, session, actor, body)
    )
    if is_new:
        move_in(session, household, people)
        kind, since = HouseholdEventKind.formed, household.opened_on
        after = {"branch_id": branch.id, "people": _as_sent(body.people)}
        record(session, actor, household, kind, since, after=after)
    return household, is_new


def _checked(
    db: Db, actor: Actor, body: HouseholdCreate, branch: Unit
) -> "tuple[list[Newcomer], date]":
    """The people of a household that may be formed as written, and since when."""
    since = body.opened_on or local_today()
    ensure_open(branch, since, pointer="/opened_on")
    return Newcomers.of(db, actor, body.people), since


def ensure_possible(db: Db, actor: Actor, body: HouseholdCreate) -> None:
    """What `create` would refuse, without writing anything."""
    branch = find_target(
        db, actor, body.branch_id, Right.members_write, pointer="/branch_id", level=UnitLevel.branch
    )
    people, since = _checked(db, actor, body, branch)
    _ensure_free(db, people, since)


def _is_same(session: Session, actor: Actor, body: HouseholdCreate, household: Household) -> bool:
    """Fields the actor may not see do not count: comparing them would tell what they hold."""
    event = session.exec(
        select(HouseholdEvent).where(
            col(HouseholdEvent.household_id) == household.id,
            col(HouseholdEvent.kind) == HouseholdEventKind.formed,
        )
    ).one_or_none()
    after = {"branch_id": body.branch_id, "people": _as_sent(body.people)}
    hidden = {name for name, right in MASKS.items() if not actor.covers(right, household)}
    kept = {"code", "address", "area_type", "ethnic_minority", "merit", "no_labour_capacity"}
    kept |= {"union_label"}
    sent = body.model_dump(include=kept - hidden)
    if body.opened_on is not None:
        sent["opened_on"] = body.opened_on
    return event is not None and event.after == after and holds(sent)(household)


def _as_sent(people: Iterable[PersonInput]) -> list[dict[str, Any]]:
    return [person.model_dump(mode="json") for person in people]


@dataclass(frozen=True, slots=True)
class Place:
    branch: Unit
    address: str | None
    area_type: AreaType | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who comes into a household, with what a head is listed by."""

    person_id: UUID
    member_id: UUID | None
    name: str
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
        genders = _genders(db, members)
        return [
            newcomer(person, members, genders, f"/people/{n}") for n, person in enumerate(people)
        ]


def _genders(db: Db, member_ids: Iterable[UUID]) -> dict[UUID, Gender]:
    rows = db.execute(
        sa.select(col(Member.id), col(Member.gender)).where(col(Member.id).in_(list(member_ids)))
    )
    return {row.id: row.gender for row in rows}


def newcomer(
    person: PersonInput,
    members: Mapping[UUID, Any],
    genders: Mapping[UUID, Gender],
    pointer: str,
) -> Newcomer:
    """A member has her name on her record; of another person the name is what is known."""
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
            genders[person.member_id],
            person.relation,
            dict.fromkeys(own),
        )
    if person.full_name is None:
        raise invalid("one_of_needed", f"{pointer}/full_name", expected=("member_id", "full_name"))
    return Newcomer(
        person.person_id or new_id(), None, person.full_name, person.gender, person.relation, own
    )


def find_newcomer(session: Session, actor: Actor, person: PersonInput) -> Newcomer:
    """One person named in a request body."""
    members: dict[UUID, Any] = {}
    if person.member_id is not None:
        members[person.member_id] = persons.find_member(
            session, actor, person.member_id, pointer="/member_id", alone=True
        )
    return newcomer(person, members, _genders(session, members), "")


def formed(
    place: Place, people: Sequence[Newcomer], since: date, values: Mapping[str, Any]
) -> Household:
    """The row of a new household; once it is inserted, its people move in."""
    [head] = [person for person in people if person.relation is Relation.head]
    branch = place.branch
    assert branch.province_id is not None  # noqa: S101  # every branch is in a province
    now = utc_now()
    return Household(
        **values,
        **head_columns(head.person_id, head.name, head.gender),
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
    actor: Actor,
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
            account_id=actor.account_id,
            at=utc_now(),
        )
    )
    session.flush()


# -- following others


def carry(session: Session, branch_ids: Sequence[int], carried: Mapping[str, int | None]) -> None:
    """Households go where their branch goes; their places stay, the tree of the day has the rest."""
    province_id = carried.get("province_id")
    if province_id is not None:
        session.execute(
            sa.update(HouseholdPlace)
            .where(col(HouseholdPlace.branch_id).in_(branch_ids))
            .values(province_id=province_id),
            execution_options={"synchronize_session": False},
        )
    differs = [getattr(Household, name).is_distinct_from(value) for name, value in carried.items()]
    moving = sa.and_(col(Household.branch_id).in_(branch_ids), sa.or_(*differs))
    rows = session.execute(
        sa.select(*(getattr(Household, name) for name in Household.model_fields))
        .where(moving)
        .with_for_update()
    ).all()
    if not rows:
        return
    session.execute(
        sa.update(Household)
        .where(moving)
        .values(**carried, revision=col(Household.revision) + 1, updated_at=utc_now()),
        execution_options={"synchronize_session": False},
    )
    changes.record_moved(session, Household, [row._asdict() for row in rows], carried)


# -- corrections


def update(
    session: Session,
    actor: Actor,
    household_id: UUID,
    body: HouseholdUpdate,
    expected: int | None,
) -> Household:
    """Correct what has no history; a field the actor may not see she may not overwrite either."""
    household = lock(session, actor, household_id, Right.members_write)
    ensure_revision(household.revision, expected)
    changed = body.model_dump(exclude_unset=True)
    for name in changed:
        if name in MASKS and not actor.covers(MASKS[name], household):
            error = FieldError("body", f"/{name}", "masked_field")
            raise forbidden(session, actor, MASKS[name], household.branch_id, [error])
    if changed.get("union_label", household.union_label) != household.union_label:
        changed["union_label_on"] = None if changed["union_label"] is None else local_today()
    for name, value in changed.items():
        setattr(household, name, value)
    session.flush()
    return household


def restore(session: Session, actor: Actor, household_id: UUID, before: Mapping[str, Any]) -> None:
    """Undo a correction: the fields it changed are as the change log has them (JSON)."""
    household = lock(session, actor, household_id, Right.members_write)
    labelled = before.get("union_label_on")
    fields = {name: value for name, value in before.items() if name != "union_label_on"}
    values = HouseholdUpdate.model_validate(fields).model_dump(exclude_unset=True)
    if "union_label_on" in before:
        values["union_label_on"] = labelled and date.fromisoformat(labelled)
    for name, value in values.items():
        setattr(household, name, value)
    session.flush()


def in_use(db: Db, household_ids: Sequence[UUID]) -> set[UUID]:
    """Of these those to which something has happened since they were formed, or that the record of
    a member names who is not in them."""
    happened = (
        sa.select(col(HouseholdEvent.household_id))
        .where(
            col(HouseholdEvent.household_id).in_(household_ids),
            col(HouseholdEvent.kind) != HouseholdEventKind.formed,
        )
        .distinct()
    )
    inside = sa.select(col(HouseholdPerson.member_id)).where(
        col(HouseholdPerson.household_id).in_(household_ids),
        col(HouseholdPerson.member_id).is_not(None),
    )
    named = sa.select(col(Member.household_id)).where(
        col(Member.household_id).in_(household_ids), col(Member.id).not_in(inside)
    )
    return {each for query in (happened, named) for each in db.execute(query).scalars() if each}


def withdraw(session: Session, actor: Actor, household_id: UUID) -> None:
    """A household that was formed by mistake and has no history never was, but in the change log."""
    household = lock(session, actor, household_id, Right.members_write)
    stays = session.exec(
        select(HouseholdPerson).where(col(HouseholdPerson.household_id) == household_id)
    ).all()
    members = [stay.member_id for stay in stays if stay.member_id is not None]
    for stay in stays:
        session.delete(stay)
    session.flush()
    session.delete(household)
    session.flush()
    spells.stand_in_household(session, members, None)


def read(session: Session, actor: Actor, household: Household) -> dict[str, Any]:
    """A household just written, as HouseholdRead."""
    return get_household(session, actor, household.id)
