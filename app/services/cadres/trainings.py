"""Training and qualifications of cadres, stored with the member; the rights are those of posts."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import invalid, not_found
from app.models.cadres.trainings import (
    Training,
    TrainingCreate,
    TrainingItem,
    TrainingQuery,
    TrainingRead,
    TrainingUpdate,
    UnitTrainingQuery,
)
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    require_somewhere,
)
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, fields_of, pages
from app.services.kernel.periods import ensure_in_order
from app.services.members import persons, scope

_COLUMNS = [getattr(Training, name) for name in TrainingRead.model_fields]


def list_trainings(db: Db, actor: Actor, member_id: UUID, query: TrainingQuery) -> Pages:
    """What a member has learnt, in the order it was entered."""
    persons.access_member(db, actor, member_id, Right.appointments_read)
    statement = sa.select(*_COLUMNS).where(col(Training.member_id) == member_id)
    if query.kind is not None:
        statement = statement.where(col(Training.kind) == query.kind)
    return pages(statement, Order(col(Training.id)))


_WITH_MEMBER: AnySelect = (
    sa.select(
        *_COLUMNS,
        col(Member.full_name),
        col(Member.branch_id),
        col(Unit.name).label("branch_name"),
    )
    .join(Member, col(Member.id) == col(Training.member_id))
    .join(Unit, col(Unit.id) == col(Member.branch_id))
)


def list_of_unit(db: Db, actor: Actor, query: UnitTrainingQuery) -> Pages:
    """What the members of a unit have learnt."""
    here = scope.rows(
        db,
        actor,
        [Right.appointments_read],
        query,
        Member,
        lambda places: scope.stood(places, col(Training.member_id)),
    )
    statement = _WITH_MEMBER.where(here, *_held_in(query))
    if query.kind is not None:
        statement = statement.where(col(Training.kind) == query.kind)
    return pages(statement, Order(col(Training.id)), fields_of(TrainingItem))


def _held_in(query: UnitTrainingQuery) -> list[sa.ColumnElement[bool]]:
    ensure_in_order(query)
    started, completed = col(Training.started_on), col(Training.completed_on)
    wanted = []
    if query.from_ is not None:
        wanted.append(sa.or_(completed.is_(None), completed >= query.from_))
    if query.to is not None:
        began = sa.func.coalesce(started, completed)
        wanted.append(sa.or_(began.is_(None), began <= query.to))
    return wanted


def create(
    session: Session, actor: Actor, member_id: UUID, body: TrainingCreate
) -> tuple[Training, bool]:
    """Enter a training. The same id with the same content again is no second one."""
    person = persons.access_member(session, actor, member_id, Right.appointments_write)
    sent = body.model_dump(exclude={"id"}) | {"member_id": member_id}
    return created_once(
        session, Training, body.id, partial(_made, person.province_id, sent), same=holds(sent)
    )


def _made(province_id: int, sent: Mapping[str, Any]) -> Training:
    now = utc_now()
    training = Training(**sent, province_id=province_id, created_at=now, updated_at=now)
    _ensure_order(training)
    return training


def _ensure_order(training: Training) -> None:
    started, completed = training.started_on, training.completed_on
    if started is not None and completed is not None and completed < started:
        raise invalid("dates_reversed", "/completed_on")


def update(
    session: Session, actor: Actor, training_id: UUID, body: TrainingUpdate, expected: Expected
) -> Training:
    training = _access(session, actor, training_id)
    ensure_revision(training.revision, expected)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(training, name, value)
    _ensure_order(training)
    session.flush()
    return training


def delete(session: Session, actor: Actor, training_id: UUID) -> None:
    """Remove an entry that should not be there; the change log keeps what it was."""
    session.delete(_access(session, actor, training_id))
    session.flush()


def _access(session: Session, actor: Actor, training_id: UUID) -> Training:
    """The training, locked; 404 when it or its member is out of scope, 403 without the right."""
    training = session.get(Training, training_id, with_for_update=True)
    if training is None:
        require_somewhere(session, actor, Right.appointments_read)
        raise not_found()
    person = persons.lock(session, training.member_id)
    ensure(session, actor, Right.appointments_write, person, seen_with=Right.appointments_read)
    persons.ensure_changeable(actor, person)
    return training


def read(training: Training) -> dict[str, Any]:
    return {name: getattr(training, name) for name in TrainingRead.model_fields}
