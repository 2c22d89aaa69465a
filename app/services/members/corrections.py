"""Corrections that members ask for, and the decisions of officers on them."""

import json
from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from pydantic_core import to_jsonable_python
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.members.corrections import (
    CorrectionCreate,
    CorrectionQuery,
    CorrectionRead,
    CorrectionRefuse,
    CorrectionRequest,
    CorrectionState,
)
from app.models.members.members import Member, MemberUpdate
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    require_somewhere,
    visible,
)
from app.services.kernel.actors import reach_of
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.offers import Work
from app.services.members import record
from app.services.members.own import herself, own_id
from app.services.notices import inbox
from app.services.units.rows import locked_is_409
from app.services.units.units import find_filter

MOST_PENDING = 20


_ROW: AnySelect = sa.select(
    col(CorrectionRequest.id),
    col(CorrectionRequest.member_id),
    col(Member.full_name),
    col(CorrectionRequest.asked),
    col(CorrectionRequest.note),
    col(CorrectionRequest.state),
    col(CorrectionRequest.created_at).label("requested_at"),
    col(CorrectionRequest.decided_by),
    col(CorrectionRequest.decided_at),
    col(CorrectionRequest.answer),
    col(CorrectionRequest.revision),
    col(Member.province_id),
    col(Member.commune_id),
    col(Member.branch_id),
).join(Member, col(Member.id) == col(CorrectionRequest.member_id))


def _item(actor: Actor, row: Any) -> dict[str, Any]:
    changes: dict[str, Any] = json.loads(row.asked)
    masked = [name for name in actor.hidden(record.MASKS, row) if name in changes]
    values = {**row._mapping, "changes": changes | dict.fromkeys(masked), "masked": masked}
    return {name: values[name] for name in CorrectionRead.model_fields}


def _listed(actor: Actor, *where: sa.ColumnElement[bool]) -> Pages:
    return pages(_ROW.where(*where), Order(col(CorrectionRequest.id)), each(partial(_item, actor)))


# -- the member


def create(session: Session, actor: Actor, body: CorrectionCreate) -> tuple[dict[str, Any], bool]:
    """Ask for other values in one's own record; the same body again is no second request."""
    member_id = own_id(actor)
    asked = body.changes.model_dump(mode="json", exclude_unset=True)
    if not asked:
        raise invalid("required", "/changes")
    sent = {"member_id": member_id, "asked": _text(asked), "note": body.note}
    request, is_new = created_once(
        session,
        CorrectionRequest,
        body.id,
        partial(_made, session, actor, sent, asked),
        same=holds(sent),
    )
    if is_new:
        _ask(session, actor, request)
    return read_own(session, actor, request.id), is_new


def _ask(session: Session, actor: Actor, request: CorrectionRequest) -> None:
    branch = sa.select(col(Member.branch_id)).where(col(Member.id) == request.member_id)
    inbox.ask(
        session,
        actor,
        WAITING.name,
        request.id,
        Right.members_write,
        session.execute(branch).scalar_one(),
    )


WAITING = inbox.waiting(
    "correction_waits",
    "Đề nghị sửa thông tin chờ xử lý",
    "A request to correct a record waits for you",
    "/v1/correction-requests/{entity_id}",
    sa.select(col(CorrectionRequest.id), col(Member.branch_id).label("waits_for"))
    .join(Member, col(Member.id) == col(CorrectionRequest.member_id))
    .where(col(CorrectionRequest.state) == CorrectionState.pending),
    Right.members_write,
)


def _made(
    session: Session, actor: Actor, sent: dict[str, Any], asked: dict[str, Any]
) -> CorrectionRequest:
    member_id = sent["member_id"]
    before = _held(session, member_id, asked)
    _ensure_few_pending(session, member_id)
    province = sa.select(col(Member.province_id)).where(col(Member.id) == member_id)
    now = utc_now()
    return CorrectionRequest(
        **sent,
        province_id=session.execute(province).scalar_one(),
        before=_text(before),
        state=CorrectionState.pending,
        requested_by=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def _text(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _held(session: Session, member_id: UUID, names: Iterable[str]) -> dict[str, Any]:
    """The present values of these fields as JSON; the member is locked, so that she asks once at a
    time.
    """
    values = sa.select(*(getattr(Member, name) for name in names))
    hers = values.where(col(Member.id) == member_id)
    with locked_is_409():
        row = session.execute(hers.with_for_update(key_share=True)).one()
    return {name: to_jsonable_python(value) for name, value in row._mapping.items()}


def _ensure_few_pending(session: Session, member_id: UUID) -> None:
    pending = sa.select(sa.func.count()).where(
        col(CorrectionRequest.member_id) == member_id,
        col(CorrectionRequest.state) == CorrectionState.pending,
    )
    if session.execute(pending).scalar_one() >= MOST_PENDING:
        raise Problem("corrections_pending", limit=MOST_PENDING)


def read_own(db: Db, actor: Actor, correction_id: UUID) -> dict[str, Any]:
    """A request of the caller, nothing masked."""
    return _item(herself(actor), _find(db, correction_id))


def list_own(actor: Actor) -> Pages:
    """What the actor has asked for, oldest first."""
    return _listed(herself(actor), col(CorrectionRequest.member_id) == own_id(actor))


def cancel(
    session: Session, actor: Actor, correction_id: UUID, expected: Expected
) -> dict[str, Any]:
    """Withdraw a request; a repeated withdrawal changes nothing."""
    member_id = own_id(actor)
    request = session.get(CorrectionRequest, correction_id, with_for_update=True)
    if request is None or request.member_id != member_id:
        raise not_found()
    ensure_revision(request.revision, expected)
    _decide(session, actor, request, CorrectionState.cancelled)
    return read_own(session, actor, correction_id)


# -- the officer


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """Requests of members the actor may correct."""
    return (
        sa.select(
            col(CorrectionRequest.id),
            col(CorrectionRequest.created_at).label("since"),
            col(Member.branch_id).label("unit_id"),
        )
        .join(Member, col(Member.id) == col(CorrectionRequest.member_id))
        .where(
            visible(Member, actor, Right.members_write),
            col(CorrectionRequest.state) == CorrectionState.pending,
        )
    )


WORK = Work(
    kind="correction",
    right=Right.members_write,
    waiting=_waiting,
    link="/v1/correction-requests/{id}",
)


def list_requests(db: Db, actor: Actor, query: CorrectionQuery) -> Pages:
    """Requests of members the actor may correct, oldest first."""
    require_somewhere(db, actor, Right.members_write)
    where = [visible(Member, actor, Right.members_write)]
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        where.append(reach_of(db, unit).predicate(Member))
    if query.state is not None:
        where.append(col(CorrectionRequest.state) == query.state)
    return _listed(actor, *where)


def get_request(db: Db, actor: Actor, correction_id: UUID) -> dict[str, Any]:
    """One request of a member the actor may correct."""
    row = _find(db, correction_id, actor)
    ensure(db, actor, Right.members_write, row, seen_with=Right.members_read)
    return _item(actor, row)


def _find(db: Db, correction_id: UUID, actor: Actor | None = None) -> Any:
    row = db.execute(_ROW.where(col(CorrectionRequest.id) == correction_id)).one_or_none()
    if row is None:
        if actor is not None:
            require_somewhere(db, actor, Right.members_read)
        raise not_found()
    return row


def approve(
    session: Session, actor: Actor, correction_id: UUID, expected: Expected
) -> dict[str, Any]:
    """Apply the correction, with the rights of the officer, who may not approve a field they may
    not see.
    """
    request, masked = _access(session, actor, correction_id, expected)
    if request.state is CorrectionState.pending:
        try:
            changes = MemberUpdate.model_validate_json(request.asked)
        except ValidationError as error:  # asked for under rules that have changed since
            raise Problem("correction_outdated") from error
        _ensure_as_it_was(session, request, masked)
        record.update(session, actor, request.member_id, changes, None)
    _decide(session, actor, request, CorrectionState.approved)
    return get_request(session, actor, correction_id)


def _ensure_as_it_was(session: Session, request: CorrectionRequest, masked: Iterable[str]) -> None:
    """The fields corrected since the request was made.

    `masked` fields are left out: approving them is refused anyway.
    """
    asked, before = json.loads(request.asked), json.loads(request.before)
    now = _held(session, request.member_id, asked)
    fields = sorted(
        name
        for name in asked.keys() - set(masked)
        if now[name] not in (before.get(name), asked[name])
    )
    if fields:
        raise Problem("correction_superseded", fields=fields, extra={"fields": fields})


def refuse(
    session: Session,
    actor: Actor,
    correction_id: UUID,
    body: CorrectionRefuse,
    expected: Expected,
) -> dict[str, Any]:
    """Reject the correction, with a reason for the member."""
    request, _ = _access(session, actor, correction_id, expected)
    if request.state is CorrectionState.refused and request.answer != body.answer:
        raise _wrong_state(request)
    _decide(session, actor, request, CorrectionState.refused, body.answer)
    return get_request(session, actor, correction_id)


def _access(
    session: Session, actor: Actor, correction_id: UUID, expected: Expected
) -> tuple[CorrectionRequest, list[str]]:
    """The request, locked, and what of it is masked to the actor.

    Of two officers who decide at once the second finds it decided.
    """
    request = session.get(CorrectionRequest, correction_id, with_for_update=True)
    masked: list[str] = get_request(session, actor, correction_id)["masked"]
    assert request is not None  # noqa: S101  # it would have been 404
    ensure_revision(request.revision, expected)
    return request, masked


def _decide(
    session: Session,
    actor: Actor,
    request: CorrectionRequest,
    state: CorrectionState,
    answer: str | None = None,
) -> None:
    if request.state is state:  # the same decision again
        return
    if request.state is not CorrectionState.pending:
        raise _wrong_state(request)
    request.state = state
    request.answer = answer
    request.decided_by = actor.account_id
    request.decided_at = utc_now()
    session.flush()


def _wrong_state(request: CorrectionRequest) -> Problem:
    return Problem("correction_state", status=request.state)
