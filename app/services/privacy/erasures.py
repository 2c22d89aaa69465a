"""Erasure: whatever identifies a person is wiped everywhere, and no figure of a unit changes.

A dry run is the erasure itself, rolled back: it counts what would be done instead of an estimate.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import Database
from app.errors import Problem, not_found
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from app.models.privacy.erasures import (
    Erasure,
    ErasureCreate,
    ErasureObstacle,
    ErasureQuery,
    ErasureRead,
    ErasureReason,
    PrivacyJob,
)
from app.models.privacy.limits import LimitKind, ProcessingLimit
from app.models.privacy.requests import RequestState
from app.services.identity.second_person import ensure_independent
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Db, ensure, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.holdings import Person
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.members import persons
from app.services.privacy import journal, limits, requests, wiping
from app.services.units.units import find_filter

# A job does it within minutes; what is later than this is done by the housekeeping.
SWEPT_WITHIN = timedelta(hours=1)

# -- obstacles

_ADVICE: dict[ErasureObstacle, tuple[str, str]] = {
    ErasureObstacle.in_union: (
        "Đang là hội viên: ghi việc rời Hội trước.",
        "She is in the union: record her departure first.",
    ),
    ErasureObstacle.open_post: (
        "Đang giữ chức vụ: kết thúc chức vụ trước.",
        "She holds a post: end it first.",
    ),
    ErasureObstacle.grants_in_force: (
        "Tài khoản còn quyền: thu hồi trước.",
        "Her account has rights in force: revoke them first.",
    ),
    ErasureObstacle.legal_hold: (
        "Có lưu giữ pháp lý: chỉ xoá được khi đã bỏ.",
        "A legal hold is in force: it must be lifted first.",
    ),
    ErasureObstacle.own_record: (
        "Không ai tự xoá hồ sơ của chính mình: cần cán bộ khác.",
        "Nobody erases herself: another officer must.",
    ),
}


def obstacles(db: Db, member_id: UUID, status: Any, actor: Actor | None) -> list[dict[str, Any]]:
    """What has to be settled before this person is erased."""
    today = local_today()
    lasts = [
        sa.or_(until.is_(None), until >= today)
        for until in (col(Appointment.valid_to), col(Grant.valid_to))
    ]
    accounts = sa.select(col(Account.id)).where(col(Account.member_id) == member_id)
    found = {
        ErasureObstacle.in_union: int(status in persons.IN_UNION),
        ErasureObstacle.open_post: _count(db, col(Appointment.member_id) == member_id, lasts[0]),
        ErasureObstacle.grants_in_force: _count(db, col(Grant.account_id).in_(accounts), lasts[1]),
        ErasureObstacle.legal_hold: _count(db, *held(member_id)),
        ErasureObstacle.own_record: int(actor is not None and actor.member_id == member_id),
    }
    return [
        {"code": code, "count": count, "vi": _ADVICE[code][0], "en": _ADVICE[code][1]}
        for code, count in found.items()
        if count
    ]


def held(member_id: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """A legal hold of hers is in force."""
    return (
        col(ProcessingLimit.member_id) == member_id,
        col(ProcessingLimit.kind) == LimitKind.legal_hold,
        limits.in_force(),
    )


def _count(db: Db, *where: sa.ColumnElement[bool]) -> int:
    return int(db.execute(sa.select(sa.func.count()).where(*where)).scalar_one())


# -- one person, on her request


def erase(session: Session, actor: Actor, member_id: UUID, body: ErasureCreate) -> dict[str, Any]:
    """Preview or perform an erasure; the same call again returns the receipt."""
    persons.hold_alone(session, [member_id])
    person = persons.lock(session, member_id)
    if person is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.privacy_erase, person, seen_with=Right.members_read)
    if person.erased_on is not None:
        return _receipt_again(session, person, body)
    in_the_way = obstacles(session, member_id, person.status, actor)
    whole = wiping.find_person(session, member_id, person.full_name, person.birth_date)
    effects = _tried(session, whole)
    digest = wiping.digest_of(member_id, effects)
    if body.dry_run:
        return _dry(person, body, effects, digest, in_the_way)
    request = requests.find_to_erase(session, member_id, body.request_id)
    if in_the_way:
        raise Problem(
            "erasure_refused",
            count=len(in_the_way),
            extra={"obstacles": [{**each, "code": each["code"].value} for each in in_the_way]},
        )
    first = ensure_independent(
        session, actor, request.acknowledged_by, Right.privacy_erase, person.branch_id
    )
    if body.digest != digest:
        raise Problem("erasure_changed")
    requests.close(session, actor, request, RequestState.done, None)
    done = wiping.wipe(session, whole) + wiping.scan(session, [whole])
    receipt = receive(
        session,
        person,
        former_ids=whole.former_ids,
        reason=ErasureReason.request,
        request_id=request.id,
        anonymisation_id=None,
        effects=wiping.effects_of(done),
        approved_by=first,
        erased_by=actor.account_id,
    )
    jobs.enqueue(session, actor, kind=PrivacyJob.sweep, args={}, unit_id=person.branch_id)
    return read(receipt)


def _tried(session: Session, person: Person) -> list[dict[str, Any]]:
    """What an erasure does, by doing it and taking it back."""
    savepoint = session.begin_nested()
    try:
        return wiping.effects_of(wiping.wipe(session, person) + wiping.scan(session, [person]))
    finally:
        savepoint.rollback()


def _receipt_again(session: Session, person: Any, body: ErasureCreate) -> dict[str, Any]:
    found = session.execute(_READ.where(col(Erasure.member_id) == person.id)).one()
    if body.dry_run or body.request_id is None or found.request_id != body.request_id:
        raise persons.erased(person.erased_on)
    return _item(found)


def _dry(
    person: Any,
    body: ErasureCreate,
    effects: list[dict[str, Any]],
    digest: str,
    in_the_way: list[dict[str, Any]],
) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(ErasureRead.model_fields)
    return nothing | {
        "member_id": person.id,
        "dry_run": True,
        "reason": ErasureReason.request,
        "request_id": body.request_id,
        "effects": effects,
        "obstacles": in_the_way,
        "digest": digest,
    }


def receive(
    session: Session,
    person: Any,
    *,
    former_ids: Sequence[UUID],
    reason: ErasureReason,
    request_id: UUID | None,
    anonymisation_id: UUID | None,
    effects: list[dict[str, Any]],
    approved_by: UUID,
    erased_by: UUID,
) -> Erasure:
    """The receipt: what was done, by which two people, and nothing that identifies the person."""
    receipt = Erasure(
        member_id=person.id,
        province_id=person.province_id,
        commune_id=person.commune_id,
        branch_id=person.branch_id,
        reason=reason,
        request_id=request_id,
        anonymisation_id=anonymisation_id,
        effects=effects,
        digest=wiping.digest_of(person.id, effects),
        approved_by=approved_by,
        erased_by=erased_by,
        erased_at=utc_now(),
    )
    session.add(receipt)
    session.flush()
    journal.note(session, receipt, former_ids)
    return receipt


# -- receipts

_NOT_STORED = ("dry_run", "obstacles")
_READ = sa.select(
    *(getattr(Erasure, name) for name in ErasureRead.model_fields if name not in _NOT_STORED),
    col(Erasure.province_id),
    col(Erasure.commune_id),
    col(Erasure.branch_id),
)


def _item(row: Any) -> dict[str, Any]:
    stored = {
        name: getattr(row, name) for name in ErasureRead.model_fields if name not in _NOT_STORED
    }
    return {name: stored.get(name) for name in ErasureRead.model_fields} | {
        "dry_run": False,
        "obstacles": [],
    }


def read(receipt: Erasure) -> dict[str, Any]:
    return _item(receipt)


def list_erasures(db: Db, actor: Actor, query: ErasureQuery) -> Pages:
    """Receipts of who stood in my scope, the newest first."""
    require_somewhere(db, actor, Right.privacy_read)
    statement = _READ.where(visible(Erasure, actor, Right.privacy_read))
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(reach_of(db, unit).predicate(Erasure))
    return pages(statement, Order(col(Erasure.id).desc()), each(_item))


def get_erasure(db: Db, actor: Actor, erasure_id: UUID) -> dict[str, Any]:
    """One receipt."""
    row = db.execute(_READ.where(col(Erasure.id) == erasure_id)).one_or_none()
    if row is None or not actor.covers(Right.privacy_read, row):
        require_somewhere(db, actor, Right.privacy_read)
        raise not_found()
    return _item(row)


# -- the files


def sweep(task: jobs.Task) -> dict[str, Any]:
    """Make the database give up what it holds of deleted rows; many erasures need it once."""
    return {"erasures": _sweep(task.database, utc_now())}


def sweep_late(database: Database) -> int:
    """What a job should have swept and has not, for whatever reason."""
    return _sweep(database, utc_now() - SWEPT_WITHIN)


def _sweep(database: Database, until: datetime) -> int:
    began = utc_now()
    waiting = sa.and_(col(Erasure.swept_at).is_(None), col(Erasure.erased_at) <= until)
    with database.reading() as db:
        number = int(db.execute(sa.select(sa.func.count()).where(waiting)).scalar_one())
    if number:
        database.sweep(wiping.swept())
        with database.writing() as session:
            session.connection().execute(
                sa.update(Erasure)
                .where(col(Erasure.swept_at).is_(None), col(Erasure.erased_at) <= began)
                .values(swept_at=utc_now())
            )
    return number
