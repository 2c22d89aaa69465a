"""A member's career: her spells, groups, posts and training on one line of time."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.models.cadres.appointments import Appointment
from app.models.cadres.career import CareerItem, CareerKind, CareerRead, CareerSource
from app.models.cadres.trainings import Training
from app.models.groups.groups import Participation
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitRef
from app.models.members.spells import Joined, Left, Membership
from app.services.kernel.access import Actor, Db
from app.services.members import persons

_DAY = timedelta(days=1)
_BEGAN = {
    Joined.admission: CareerKind.admitted,
    Joined.transfer: CareerKind.transferred,
    Joined.readmission: CareerKind.readmitted,
    Joined.reorganisation: CareerKind.reorganised,
}
# A transfer or reorganisation is no entry of its own: the spell after it shows it.
_ENDED = {Left.departure: CareerKind.left, Left.death: CareerKind.died}


def get_career(db: Db, actor: Actor, member_id: UUID) -> CareerRead:
    """The career of a member in scope, as far as the actor may see it."""
    person = persons.access_member(db, actor, member_id, Right.members_read)
    items = [*_spells(db, member_id), *_groups(db, member_id)]
    hidden = []
    if actor.covers(Right.appointments_read, person):
        items += [*_posts(db, member_id), *_trainings(db, member_id)]
    else:
        hidden = [CareerSource.appointments, CareerSource.trainings]
    items.sort(key=_place)
    return CareerRead(member_id=member_id, items=items, hidden=hidden)


def _place(item: CareerItem) -> tuple[date, UUID]:
    """Undated things first; of one day, in the order they were entered."""
    return item.on or date.min, item.record_id


def _rows(db: Db, model: type[Any], unit_id: Any, member_id: UUID) -> Any:
    """The rows of a member in a table, each with its unit."""
    statement = (
        sa.select(
            *(getattr(model, name) for name in model.model_fields),
            col(Unit.id).label("of_unit"),
            col(Unit.level).label("unit_level"),
            col(Unit.name).label("unit_name"),
        )
        .join(Unit, col(Unit.id) == unit_id)
        .where(col(model.member_id) == member_id)
    )
    return db.execute(statement)


def _item(row: Any, kind: CareerKind, **values: Any) -> CareerItem:
    unit = None
    if hasattr(row, "of_unit"):
        unit = UnitRef(id=row.of_unit, level=row.unit_level, name=row.unit_name)
    whole: dict[str, Any] = dict.fromkeys(CareerItem.model_fields)
    whole |= {"kind": kind, "record_id": row.id, "unit": unit, "acting": False}
    return CareerItem(**whole | values)


def _spells(db: Db, member_id: UUID) -> Iterator[CareerItem]:
    for row in _rows(db, Membership, col(Membership.branch_id), member_id):
        if row.annulled_at is not None:
            continue
        yield _item(row, _BEGAN[row.joined_by], on=row.valid_from, valid_to=row.valid_to)
        if row.left_by in _ENDED:
            reason = None if row.reason is None else row.reason.value
            yield _item(
                row, _ENDED[row.left_by], on=row.valid_to + _DAY, reason=reason, note=row.note
            )


def _groups(db: Db, member_id: UUID) -> Iterator[CareerItem]:
    for row in _rows(db, Participation, col(Participation.group_id), member_id):
        yield _item(row, CareerKind.group, on=row.valid_from, valid_to=row.valid_to)


def _posts(db: Db, member_id: UUID) -> Iterator[CareerItem]:
    for row in _rows(db, Appointment, col(Appointment.unit_id), member_id):
        if row.valid_to is not None and row.valid_to < row.valid_from:
            continue  # never held
        about = {"title": row.title, "post": row.post, "acting": row.acting}
        yield _item(
            row,
            CareerKind.post_taken,
            on=row.valid_from,
            valid_to=row.valid_to,
            note=row.decision_number,
            **about,
        )
        if row.reason is not None:
            yield _item(
                row,
                CareerKind.post_ended,
                on=row.valid_to + _DAY,
                reason=row.reason.value,
                note=row.ended_note,
                **about,
            )


def _trainings(db: Db, member_id: UUID) -> Iterator[CareerItem]:
    columns = (getattr(Training, name) for name in Training.model_fields)
    for row in db.execute(sa.select(*columns).where(col(Training.member_id) == member_id)):
        yield _item(
            row,
            CareerKind.training,
            on=row.started_on or row.completed_on,
            valid_to=row.completed_on,
            title=row.name,
            training=row.kind,
            note=row.level,
        )
