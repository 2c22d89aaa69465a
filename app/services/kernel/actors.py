"""An actor is loaded: the account, its grants in force, and what they reach."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today, utc_now
from app.db import AnySelect, settings_of
from app.models.base import str_enum
from app.models.kernel.access import (
    Grant,
    Right,
)
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.epochs import Epoch
from app.models.kernel.sessions import AuthSession
from app.models.kernel.units import SuccessionKind, Unit, UnitLevel, UnitSuccession
from app.services.kernel.access import Actor, Db, HeldGrant
from app.services.kernel.networks import AllowedNetworks
from app.services.kernel.reach import Reach

_RESTORED = (
    sa.select(col(Epoch.id))
    .where(col(Epoch.number) > 1)
    .order_by(col(Epoch.number).desc())
    .limit(1)
    .scalar_subquery()
)
_ACTOR: AnySelect = (
    sa.select(
        col(Account.id),
        col(Account.kind),
        col(Account.username),
        col(Account.member_id),
        col(Account.networks),
        col(AuthSession.id).label("session_id"),
        col(AuthSession.key_id),
        col(AuthSession.device),
        col(AuthSession.device_id),
        col(AuthSession.kept_access_id),
        col(AuthSession.must_change_password),
        _RESTORED.label("epoch"),
    )
    .join(AuthSession, col(AuthSession.account_id) == col(Account.id))
    .where(
        col(AuthSession.id) == sa.bindparam("session_id"),
        col(Account.status) != AccountStatus.disabled,
        col(AuthSession.revoked_at).is_(None),
        col(AuthSession.expires_at) > sa.bindparam("now"),
        sa.or_(col(Account.valid_to).is_(None), col(Account.valid_to) >= sa.bindparam("today")),
    )
)


def _in_force(grant: Any) -> sa.ColumnElement[bool]:
    today: sa.BindParameter[date] = sa.bindparam("today")
    return sa.and_(
        grant.valid_from <= today, sa.or_(grant.valid_to.is_(None), grant.valid_to >= today)
    )


_Parent = aliased(Grant)


_Giver = aliased(Account)


_Holder = aliased(Account)


def reads_past(today: Any, since: Any) -> sa.ColumnElement[bool]:
    """The unit closed while a person held the grant over it, at the earliest on `since`. Who ends or
    changes the grant later ends this, too."""
    return sa.and_(
        col(Grant.reads_past),
        col(Grant.valid_to) == col(Unit.closed_on),
        col(Grant.valid_to) >= since,
        col(Grant.valid_to) < today,
        sa.exists().where(
            col(_Holder.id) == col(Grant.account_id), col(_Holder.kind) == AccountKind.person
        ),
    )


def past_since(db: Db, today: date) -> date:
    """The day since which units have closed whose past is still read by their officers of then."""
    return today - timedelta(days=settings_of(db).past_reading_days)


_HELD: AnySelect = sa.select(
    col(Grant.id),
    col(Grant.role),
    col(Grant.valid_from),
    col(Grant.valid_to),
    col(Grant.unit_id),
    col(Grant.rights),
    col(Grant.appointment_id),
    col(Unit.level),
    col(Unit.name),
    col(Unit.province_id),
    col(Unit.district_id),
    col(Unit.commune_id),
    col(Unit.branch_id),
    # Most units have no predecessor: of those nothing more is asked.
    sa.exists().where(col(UnitSuccession.to_unit_id) == col(Unit.id)).label("succeeds"),
).join(Unit, col(Unit.id) == col(Grant.unit_id))
_ENDED: AnySelect = _HELD.where(
    col(Grant.valid_to) >= col(Grant.valid_from),
    col(Grant.account_id) == sa.bindparam("account_id"),
    col(Grant.valid_to) >= sa.bindparam("since"),
    col(Grant.valid_to) < sa.bindparam("today"),
).order_by(col(Grant.id))
_GRANTS: AnySelect = (
    _HELD.join(_Parent, col(_Parent.id) == col(Grant.parent_id), isouter=True)
    .join(_Giver, col(_Giver.id) == col(_Parent.account_id), isouter=True)
    .where(
        col(Grant.account_id) == sa.bindparam("account_id"),
        sa.or_(
            reads_past(sa.bindparam("today"), sa.bindparam("past_since")),
            sa.and_(
                _in_force(Grant),
                # A delegation is in force only while what it draws on is, and its giver may sign in.
                sa.or_(
                    col(Grant.parent_id).is_(None),
                    sa.and_(_in_force(_Parent), col(_Giver.status) != AccountStatus.disabled),
                ),
            ),
        ),
    )
    .order_by(col(Grant.id))
)


_COMMUNES = sa.select(col(Unit.id)).where(
    col(Unit.district_id).in_(sa.bindparam("district_ids", expanding=True)),
    col(Unit.level) == UnitLevel.commune,
)
_Other = aliased(UnitSuccession)
_MERGED = (
    sa.select(col(UnitSuccession.from_unit_id))
    .join(Unit, col(Unit.id) == col(UnitSuccession.from_unit_id))
    .where(
        col(UnitSuccession.to_unit_id).in_(sa.bindparam("unit_ids", expanding=True)),
        col(UnitSuccession.kind).in_((SuccessionKind.merge, SuccessionKind.rename)),
        col(UnitSuccession.effective_on) <= sa.bindparam("today"),
        col(Unit.level) == sa.bindparam("level", type_=str_enum(UnitLevel)),
        col(Unit.closed_on).is_not(None),
        ~sa.exists().where(
            col(_Other.from_unit_id) == col(UnitSuccession.from_unit_id),
            col(_Other.to_unit_id).is_distinct_from(col(UnitSuccession.to_unit_id)),
        ),
    )
    .order_by(col(UnitSuccession.from_unit_id))
)


def load_actor(db: Db, session_id: UUID) -> Actor | None:
    """The account behind a session with the grants of today; None when revoked or disabled."""
    given = {"session_id": session_id, "now": utc_now(), "today": local_today()}
    row = db.execute(_ACTOR, given).one_or_none()
    if row is None:
        return None
    grants, past = ((), ()) if row.must_change_password else _grants_and_past(db, row.id)
    return Actor(
        account_id=row.id,
        kind=row.kind,
        username=row.username,
        session_id=row.session_id,
        device=row.device,
        member_id=row.member_id,
        must_change_password=row.must_change_password,
        grants=grants,
        past=past,
        epoch=row.epoch,
        device_id=row.device_id,
        unseen_token=row.kept_access_id,
        key_id=row.key_id,
        networks=AllowedNetworks.of(row.networks),
    )


def load_actor_of_job(
    db: Db, account_id: UUID, session_id: UUID, device: str | None
) -> Actor | None:
    """The account that asked for a job, with its grants of now, signed in or not; None if it has
    been disabled meanwhile, or its last day is over.
    """
    row = db.execute(
        sa.select(
            col(Account.kind),
            col(Account.username),
            col(Account.member_id),
            col(Account.status),
            col(Account.valid_to),
        ).where(col(Account.id) == account_id)
    ).one_or_none()
    if row is None or row.status is AccountStatus.disabled:
        return None
    if row.valid_to is not None and row.valid_to < local_today():
        return None
    grants, past = _grants_and_past(db, account_id)
    return Actor(
        account_id=account_id,
        kind=row.kind,
        username=row.username,
        session_id=session_id,
        device=device,
        member_id=row.member_id,
        must_change_password=False,
        grants=grants,
        past=past,
    )


def grants_of(db: Db, account_id: UUID) -> tuple[HeldGrant, ...]:
    """The grants of an account in force today."""
    return _grants_and_past(db, account_id)[0]


def past_of(db: Db, account_id: UUID) -> tuple[HeldGrant, ...]:
    """The grants of an account that ended with their units, by which it counts in their days."""
    return _grants_and_past(db, account_id)[1]


def _grants_and_past(
    db: Db, account_id: UUID
) -> tuple[tuple[HeldGrant, ...], tuple[HeldGrant, ...]]:
    """Those in force today; and those that ended with their units, by which the past is counted."""
    today = local_today()
    given = {"account_id": account_id, "today": today, "past_since": past_since(db, today)}
    rows = db.execute(_GRANTS, given).all()
    held = [_held(db, dict(row._mapping)) for row in rows]
    in_force = [grant.valid_to is None or grant.valid_to >= today for grant in held]
    return (
        tuple(grant for grant, now in zip(held, in_force, strict=True) if now),
        tuple(grant for grant, now in zip(held, in_force, strict=True) if not now),
    )


def _held(db: Db, row: dict[str, Any]) -> HeldGrant:
    delegated = frozenset(map(Right, row.pop("rights") or ()))
    succeeds = row.pop("succeeds")
    former = _merged_into(db, row["unit_id"], row["level"]) if succeeds else ()
    communes = _communes(db, (row["unit_id"], *former), row["level"])
    return HeldGrant(**row, communes=communes, former=former, delegated=delegated)


def reach_of(db: Db, unit: Unit) -> Reach:
    """A unit with all below it."""
    return Reach(unit.level, unit.id, _communes(db, (unit.id,), unit.level), unit.province_id)


def _communes(db: Db, unit_ids: Sequence[int], level: UnitLevel) -> tuple[int, ...]:
    if level is not UnitLevel.district:
        return ()
    return tuple(db.execute(_COMMUNES, {"district_ids": unit_ids}).scalars())


def _merged_into(db: Db, unit_id: int, level: UnitLevel) -> tuple[int, ...]:
    """The units of its level that were merged into it whole, and what was merged into those.

    Of a unit that was divided among several no one has the whole: its history is not among theirs.
    """
    found: list[int] = []
    asked = [unit_id]
    while asked:
        given = {"unit_ids": asked, "level": level, "today": local_today()}
        merged = db.execute(_MERGED, given).scalars().all()
        asked = [each for each in merged if each not in (unit_id, *found)]
        found += asked
    return tuple(found)


def ended_of(db: Db, account_id: UUID, since: date) -> tuple[HeldGrant, ...]:
    """The grants of an account that have ended, on this day or later."""
    rows = db.execute(
        _ENDED, {"account_id": account_id, "since": since, "today": local_today()}
    ).all()
    return tuple(_held(db, dict(row._mapping)) for row in rows)
