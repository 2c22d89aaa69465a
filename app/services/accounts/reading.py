"""Accounts as they are read: lists, one account, and the caller's own."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import not_found
from app.models.kernel.access import Grant, GrantRead, Right
from app.models.kernel.accounts import Account, AccountQuery, AccountRead, Me
from app.models.kernel.units import Unit, UnitRef
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.actors import past_since, reach_of, reads_past
from app.services.kernel.keyset import Order, Pages, pages
from app.services.units.units import find_filter

_Parent = aliased(Grant)
_ROW = sa.select(
    col(Account.id),
    col(Account.kind),
    col(Account.username),
    col(Account.display_name),
    col(Account.status),
    col(Account.revision),
    col(Account.unit_id),
    col(Account.member_id),
    col(Account.purpose),
    col(Account.contact),
    col(Account.networks),
    col(Account.valid_to),
    col(Unit.level),
    col(Unit.name),
).join(Unit, col(Unit.id) == col(Account.unit_id))


def list_accounts(db: Db, actor: Actor, query: AccountQuery) -> Pages:
    """Accounts looked after by the units in scope, by user name."""
    require_somewhere(db, actor, Right.accounts_read)
    statement = _ROW.where(visible(Unit, actor, Right.accounts_read))
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        # By the path of the units, which a closed unit keeps.
        below = reach_of(db, unit).predicate(Unit)
        statement = statement.where(sa.or_(col(Unit.id) == query.unit, below))
    if query.status is not None:
        statement = statement.where(col(Account.status) == query.status)
    if query.kind is not None:
        statement = statement.where(col(Account.kind) == query.kind)
    if query.member is not None:
        statement = statement.where(col(Account.member_id) == query.member)
    if query.q is not None:
        statement = statement.where(
            col(Account.username).contains(query.q.lower(), autoescape=True)
        )
    return pages(
        statement,
        Order(col(Account.username)),
        lambda db, rows: [item.model_dump() for item in _read(db, actor, rows)],
    )


def _read(db: Db, actor: Actor, rows: Sequence[Any]) -> list[AccountRead]:
    ids, today = [row.id for row in rows], local_today()
    held = _grants(db, actor, ids, _open_on(today))
    past = _grants(db, actor, ids, reads_past(today, past_since(db, today)))
    return [
        AccountRead(
            id=row.id,
            kind=row.kind,
            username=row.username,
            display_name=row.display_name,
            status=row.status,
            unit=UnitRef(id=row.unit_id, level=row.level, name=row.name),
            member_id=row.member_id,
            purpose=row.purpose,
            contact=row.contact,
            networks=row.networks,
            valid_to=row.valid_to,
            grants=held.get(row.id, []),
            past_grants=past.get(row.id, []),
            revision=row.revision,
        )
        for row in rows
    ]


def _open_on(day: date) -> sa.ColumnElement[bool]:
    """In force on the day or later, and so is what a delegation draws on (of no parent it is null)."""
    return sa.and_(
        *(
            sa.or_(col(each.valid_to).is_(None), col(each.valid_to) >= day)
            for each in (Grant, _Parent)
        )
    )


def _grants(
    db: Db, actor: Actor, account_ids: Sequence[UUID], which: sa.ColumnElement[bool]
) -> dict[UUID, list[GrantRead]]:
    """Those grants of the accounts, over units whose accounts the actor may see."""
    rows = db.execute(
        sa.select(
            col(Grant.account_id),
            col(Grant.id),
            col(Grant.role),
            col(Grant.valid_from),
            col(Grant.valid_to),
            col(Grant.appointment_id),
            col(Grant.rights),
            col(Grant.unit_id),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == col(Grant.unit_id))
        .join(_Parent, col(_Parent.id) == col(Grant.parent_id), isouter=True)
        .where(
            col(Grant.account_id).in_(account_ids),
            visible(Unit, actor, Right.accounts_read),
            which,
        )
        .order_by(col(Grant.valid_from), col(Grant.id))
    )
    held: dict[UUID, list[GrantRead]] = {}
    for row in rows:
        held.setdefault(row.account_id, []).append(
            GrantRead(
                id=row.id,
                unit=UnitRef(id=row.unit_id, level=row.level, name=row.name),
                role=row.role,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                appointment_id=row.appointment_id,
                rights=row.rights,
            )
        )
    return held


def get_account(db: Db, actor: Actor, account_id: UUID) -> AccountRead:
    """One account looked after within scope."""
    require_somewhere(db, actor, Right.accounts_read)
    rows = db.execute(
        _ROW.where(col(Account.id) == account_id, visible(Unit, actor, Right.accounts_read))
    ).all()
    if not rows:
        raise not_found()
    return _read(db, actor, rows)[0]


def written(session: Session, actor: Actor, account_id: UUID) -> AccountRead:
    """Insert an account; the caller has checked the right."""
    rows = session.execute(_ROW.where(col(Account.id) == account_id)).all()
    return _read(session, actor, rows)[0]


def get_me(db: Db, actor: Actor) -> Me:
    """The caller's account: its grants of today and the rights they give."""
    [row] = db.execute(_ROW.where(col(Account.id) == actor.account_id)).all()
    return Me(
        id=row.id,
        kind=row.kind,
        username=row.username,
        display_name=row.display_name,
        unit=UnitRef(id=row.unit_id, level=row.level, name=row.name),
        member_id=actor.member_id,
        grants=[grant.read() for grant in actor.grants],
        past_grants=[grant.read() for grant in actor.past],
        rights=[right.value for right in actor.rights],
        must_change_password=actor.must_change_password,
    )
