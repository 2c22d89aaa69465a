"""Requests about personal data as they are read: lists, counts and one request."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect
from app.errors import not_found
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.models.privacy.requests import (
    OPEN_REQUESTS,
    PrivacyRequest,
    RequestCount,
    RequestCountQuery,
    RequestQuery,
    RequestRead,
    RequestState,
)
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.offers import Work
from app.services.members.own import own_id
from app.services.units.units import find_filter

_SOON = timedelta(days=3)
_COLUMNS = [
    getattr(PrivacyRequest, name)
    for name in RequestRead.model_fields
    if name not in ("full_name", "branch_id", "overdue", "assignee")
]
_ROW: AnySelect = (
    sa.select(
        *_COLUMNS,
        col(Member.full_name),
        col(Member.province_id),
        col(Member.commune_id),
        col(Member.branch_id),
        col(Account.display_name).label("assignee"),
    )
    .join(Member, col(Member.id) == col(PrivacyRequest.member_id))
    .join(Account, col(Account.id) == col(PrivacyRequest.assigned_to), isouter=True)
)


def _overdue(today: date) -> sa.ColumnElement[bool]:
    unanswered = sa.and_(
        col(PrivacyRequest.state) == RequestState.received,
        col(PrivacyRequest.answer_due_on) < today,
    )
    undone = sa.and_(
        col(PrivacyRequest.state).in_(OPEN_REQUESTS), col(PrivacyRequest.due_on) < today
    )
    return sa.or_(unanswered, undone)


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    today = local_today()
    unanswered = row["state"] is RequestState.received and row["answer_due_on"] < today
    undone = row["state"] in OPEN_REQUESTS and row["due_on"] < today
    return {
        name: (unanswered or undone) if name == "overdue" else row[name]
        for name in RequestRead.model_fields
    }


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """Open requests of members for whose data the actor answers."""
    return (
        sa.select(
            col(PrivacyRequest.id),
            col(PrivacyRequest.received_on).label("since"),
            col(Member.branch_id).label("unit_id"),
        )
        .join(Member, col(Member.id) == col(PrivacyRequest.member_id))
        .where(
            visible(Member, actor, Right.privacy_manage),
            col(PrivacyRequest.state).in_(OPEN_REQUESTS),
        )
    )


WORK = Work(
    kind="privacy_request",
    right=Right.privacy_manage,
    waiting=_waiting,
    link="/v1/privacy/requests/{id}",
)


def list_requests(db: Db, actor: Actor, query: RequestQuery) -> Pages:
    """Requests of members in my scope, what is due first before what is due later."""
    require_somewhere(db, actor, Right.privacy_read)
    where: list[sa.ColumnElement[bool]] = [visible(Member, actor, Right.privacy_read)]
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        where.append(reach_of(db, unit).predicate(Member))
    if query.open is not None:
        is_open = col(PrivacyRequest.state).in_(OPEN_REQUESTS)
        where.append(is_open if query.open else sa.not_(is_open))
    if query.overdue is not None:
        late = _overdue(local_today())
        where.append(late if query.overdue else sa.not_(late))
    where += [
        getattr(PrivacyRequest, name) == value
        for name in ("state", "kind", "assigned_to")
        if (value := getattr(query, name)) is not None
    ]
    return _listed(*where)


def count(db: Db, actor: Actor, query: RequestCountQuery) -> RequestCount:
    """How many requests of members in scope are in which state."""
    require_somewhere(db, actor, Right.privacy_read)
    where = [visible(Member, actor, Right.privacy_read)]
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        where.append(reach_of(db, unit).predicate(Member))
    today = local_today()
    is_open = col(PrivacyRequest.state).in_(OPEN_REQUESTS)
    soon = col(PrivacyRequest.due_on).between(today, today + _SOON)
    figures = {
        "open": is_open,
        "overdue": _overdue(today),
        "due_soon": sa.and_(is_open, soon),
        **{state.value: col(PrivacyRequest.state) == state for state in RequestState},
    }
    row = db.execute(
        sa.select(*(sa.func.count().filter(which).label(name) for name, which in figures.items()))
        .select_from(PrivacyRequest)
        .join(Member, col(Member.id) == col(PrivacyRequest.member_id))
        .where(*where)
    ).one()
    return RequestCount(**row._asdict())


def list_own(actor: Actor) -> Pages:
    """What I have asked for, what is due first before what is due later."""
    return _listed(col(PrivacyRequest.member_id) == own_id(actor))


def _listed(*where: sa.ColumnElement[bool]) -> Pages:
    return pages(_ROW.where(*where), _DUE_FIRST, each(lambda row: _item(row._asdict())))


_DUE_FIRST = Order(col(PrivacyRequest.due_on), col(PrivacyRequest.id))


def get_request(db: Db, actor: Actor, request_id: UUID) -> dict[str, Any]:
    """One request of a member in my scope."""
    row = db.execute(_ROW.where(col(PrivacyRequest.id) == request_id)).one_or_none()
    if row is None or not actor.covers(Right.privacy_read, row):
        require_somewhere(db, actor, Right.privacy_read)
        raise not_found()
    return _item(row._asdict())


def read(session: Session, request: PrivacyRequest) -> dict[str, Any]:
    """A request just written."""
    row = session.execute(_ROW.where(col(PrivacyRequest.id) == request.id)).one()
    return _item(row._asdict())
