"""One household: who may reach it, where it stood on a day, and what of it has no history of its own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import AnySelect, chunks
from app.errors import FieldError, Problem, not_found
from app.models.base import table_of
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdEventKind,
    HouseholdPerson,
    HouseholdPlace,
    HouseholdUpdate,
)
from app.models.kernel.access import Right
from app.models.kernel.units import AreaType, Unit, UnitClosure, UnitLevel
from app.models.members.members import Member
from app.models.poverty.poverty import PovertyStatus
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    forbidden,
    require_somewhere,
)
from app.services.kernel.named import seen_rows
from app.services.members import spells
from app.services.units.carrying import carry_records
from app.services.units.followers import (
    Columns,
    Concerned,
    Days,
    Refusals,
    TreeDraft,
    count_of,
)
from app.services.units.rows import hold_by_asking, locked_is_409
from app.services.units.units import area_on, valid_on

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


def status_on(db: Db, household_id: UUID, day: date) -> Any:
    """The decision in force on a day: `poverty_class`, `valid_from`, `valid_to`; None without."""
    return statuses_on(db, [household_id], day).get(household_id)


def statuses_on(db: Db, household_ids: Sequence[UUID], day: date) -> dict[UUID, Any]:
    """The decision in force on a day of each that has one."""
    rows = db.execute(
        sa.select(
            col(PovertyStatus.id),
            col(PovertyStatus.household_id),
            col(PovertyStatus.poverty_class),
            col(PovertyStatus.valid_from),
            col(PovertyStatus.valid_to),
        ).where(
            col(PovertyStatus.household_id).in_(household_ids),
            col(PovertyStatus.annulled_on).is_(None),
            valid_on(PovertyStatus, day),
        )
    )
    return {row.household_id: row for row in rows}


def seen(db: Db, actor: Actor, household_ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that are of a household the actor sees."""
    return seen_rows(db, actor, Household, Right.members_read, household_ids)


def people_seen(db: Db, actor: Actor, person_ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that are of a member the actor sees, or of another person who is or was in
    a household that the actor sees."""
    found = seen_rows(db, actor, Member, Right.members_read, person_ids)
    rows = db.execute(
        sa.select(col(HouseholdPerson.person_id), col(HouseholdPerson.household_id)).where(
            col(HouseholdPerson.person_id).in_(list(person_ids)),
            col(HouseholdPerson.member_id).is_(None),
        )
    ).all()
    homes = seen(db, actor, {row.household_id for row in rows}) if rows else ()
    return found | {row.person_id for row in rows if row.household_id in homes}


@dataclass(frozen=True, slots=True)
class PlaceOn:
    """Where a household lived on a day, by the tree of that day."""

    branch_id: int
    commune_id: int | None
    province_id: int
    address: str | None
    area_type: AreaType | None


def place_on(db: Db, household_id: UUID, day: date) -> PlaceOn | None:
    """None when the household did not exist."""
    return places_on(db, [household_id], day).get(household_id)


def places_on(db: Db, household_ids: Sequence[UUID], day: date) -> dict[UUID, PlaceOn]:
    """Of those that existed. The area type is that of the commune of the day: the same house may be
    urban one day and rural the next (domain facts, 2.1)."""
    rows = db.execute(
        sa.select(table_of(HouseholdPlace)).where(
            col(HouseholdPlace.household_id).in_(household_ids), valid_on(HouseholdPlace, day)
        )
    ).all()
    units = _above(db, {row.branch_id for row in rows}, day)

    def place(row: Any) -> PlaceOn:
        province = units.get((row.branch_id, UnitLevel.province))
        commune = units.get((row.branch_id, UnitLevel.commune))
        return PlaceOn(
            row.branch_id,
            None if commune is None else commune.id,
            row.province_id if province is None else province.id,
            row.address,
            row.area_type or (None if commune is None else commune.area_type),
        )

    return {row.household_id: place(row) for row in rows}


def _above(db: Db, branch_ids: Collection[int], day: date) -> dict[tuple[int, UnitLevel], Any]:
    """The province and the commune of each branch on a day."""
    branch = col(UnitClosure.descendant_id)
    rows = db.execute(
        sa.select(
            branch.label("branch_id"),
            col(Unit.id),
            col(Unit.level),
            area_on(day).label("area_type"),
        )
        .join(UnitClosure, col(UnitClosure.ancestor_id) == col(Unit.id))
        .where(
            branch.in_(branch_ids),
            col(Unit.level).in_((UnitLevel.province, UnitLevel.commune)),
            valid_on(UnitClosure, day),
        )
    )
    return {(row.branch_id, row.level): row for row in rows}


_PATH: AnySelect = sa.select(
    col(Household.id),
    col(Household.province_id),
    col(Household.commune_id),
    col(Household.branch_id),
    col(Household.opened_on),
    col(Household.closed_on),
).where(col(Household.id) == sa.bindparam("household_id"))


def access(db: Db, actor: Actor, household_id: UUID, right: Right) -> Any:
    """A household named in an address: 404 when out of scope, 403 without the right."""
    row = db.execute(_PATH, {"household_id": household_id}).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    ensure(db, actor, right, row, seen_with=Right.members_read)
    return row


def hold(session: Session, household_id: UUID) -> Household | None:
    """The household: whatever else changes it waits until the commit, and so does a reorganisation of
    its branch."""
    with locked_is_409():
        household = session.get(Household, household_id, with_for_update=True)
    if household is not None:
        hold_by_asking(session, col(Unit.id) == household.branch_id)
    return household


def hold_many(session: Session, household_ids: Iterable[UUID]) -> None:
    """As `hold`, in the order of locks."""
    for household_id in sorted(household_ids):
        hold(session, household_id)


def lock(session: Session, actor: Actor, household_id: UUID, right: Right) -> Household:
    """The household to write to, held."""
    household = hold(session, household_id)
    if household is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, right, household, seen_with=Right.members_read)
    return household


def carry(session: Session, branch_ids: Sequence[int], carried: Columns) -> None:
    """Households go where their branch goes; their places stay, the tree of the day has the rest."""
    province_id = carried.get("province_id")
    if province_id is not None:
        session.execute(
            sa.update(HouseholdPlace)
            .where(
                col(HouseholdPlace.branch_id).in_(branch_ids),
                col(HouseholdPlace.province_id).is_distinct_from(province_id),
            )
            .values(province_id=province_id),
            execution_options={"synchronize_session": False},
        )
    carry_records(session, Household, branch_ids, carried)


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """Households that go with their branches."""
    standing = col(Household.closed_on).is_(None)
    parts = sum(len(part.household_ids) for part in concerned.parts)
    return {"households": count_of(db, Household.branch_id, concerned.going, standing) + parts}


def ensure_none_left(db: Db, draft: TreeDraft) -> Refusals:
    """A branch with households is not closed, unless they go on in another."""
    for chunk in chunks(draft.emptied):
        used = (
            sa.select(col(Unit.id), col(Unit.name))
            .join(Household, col(Household.branch_id) == col(Unit.id))
            .where(col(Unit.id).in_(chunk), col(Household.closed_on).is_(None))
            .distinct()
        )
        for unit_id, name in db.execute(used):
            yield unit_id, Problem("households_in_unit", unit=name)


def last_days_in(db: Db, branch_ids: Sequence[int]) -> Days:
    """The last days that are recorded of households in the branches."""
    branch = col(HouseholdPlace.branch_id)
    first, last = col(HouseholdPlace.valid_from), col(HouseholdPlace.valid_to)
    days = sa.select(branch, sa.func.max(first), sa.func.max(last))
    return db.execute(days.where(branch.in_(branch_ids)).group_by(branch)).all()


# -- corrections


def update(
    session: Session,
    actor: Actor,
    household_id: UUID,
    body: HouseholdUpdate,
    expected: Expected,
) -> Household:
    """Correct fields without history; the actor may not overwrite a field they may not see."""
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
    """The ids of those households that have a history since they were formed, or that are named by
    the record of a member outside of them.
    """
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
