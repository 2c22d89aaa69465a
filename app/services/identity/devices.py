"""Devices: enrolled by the account that uses them, revoked and wiped by it or by its officers.

Whoever manages an account manages its devices: `accounts:read` shows them, `accounts:write` ends
them. Devices of all other people look like not found.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import settings_of
from app.errors import Problem, invalid, not_found
from app.models.identity.devices import (
    Device,
    DeviceEnrol,
    DeviceOwner,
    DeviceQuery,
    DeviceRead,
    DeviceState,
    DeviceUpdate,
)
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account, AccountKind
from app.models.kernel.sessions import AuthSession
from app.models.kernel.units import Unit, UnitRef
from app.services.identity import accounts, app_versions, bound_devices, sessions
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Db, Expected, ensure_revision, forbidden, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.created_once import created_once
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.tracking import PATH

_SIGNED_IN = (
    sa.exists()
    .where(
        col(AuthSession.device_id) == col(Device.id),
        col(AuthSession.revoked_at).is_(None),
        col(AuthSession.expires_at) > sa.bindparam("now"),
    )
    .label("signed_in")
)
_ROW = (
    sa.select(
        *(getattr(Device, name) for name in Device.model_fields),
        _SIGNED_IN,
        col(Account.username),
        col(Account.display_name),
        col(Account.unit_id),
        col(Unit.level),
        col(Unit.name).label("unit_name"),
    )
    .join(Account, col(Account.id) == col(Device.account_id))
    .join(Unit, col(Unit.id) == col(Account.unit_id))
)


# -- reading


def list_devices(db: Db, actor: Actor, query: DeviceQuery) -> Pages:
    """The actor's devices and those of the accounts the actor may see, the newest first."""
    statement = _ROW.where(_seen_by(actor))
    if query.account is not None:
        statement = statement.where(col(Device.account_id) == query.account)
    if query.unit is not None:
        statement = statement.where(below(db, actor, query.unit))
    if query.state is not None:
        is_revoked = col(Device.revoked_at).is_not(None)
        wanted = query.state is DeviceState.revoked
        statement = statement.where(is_revoked if wanted else ~is_revoked)
    return pages(
        statement.params(now=utc_now()),
        Order(col(Device.created_at).desc(), col(Device.id).desc()),
        lambda db, rows: [_read(db, actor, row).model_dump() for row in rows],
    )


def get_device(db: Db, actor: Actor, device_id: UUID) -> DeviceRead:
    """A device of the actor's, or of an account that the actor may see."""
    row = db.execute(
        _ROW.where(col(Device.id) == device_id, _seen_by(actor)), {"now": utc_now()}
    ).one_or_none()
    if row is None:
        raise not_found()
    return _read(db, actor, row)


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.or_(
        col(Device.account_id) == actor.account_id, visible(Unit, actor, Right.accounts_read)
    )


def below(db: Db, actor: Actor, unit_id: int) -> sa.ColumnElement[bool]:
    """Accounts of the unit and of those below it."""
    seen = visible(Unit, actor, Right.units_read)
    columns = (col(Unit.id), col(Unit.level), col(Unit.province_id))
    unit: Any = db.execute(sa.select(*columns).where(col(Unit.id) == unit_id, seen)).one_or_none()
    if unit is None:
        raise invalid("unit_unknown", "/unit", place="query")
    return sa.or_(col(Unit.id) == unit_id, reach_of(db, unit).predicate(Unit))


def _read(db: Db, actor: Actor, row: Any) -> DeviceRead:
    return DeviceRead(
        id=row.id,
        account=DeviceOwner(
            id=row.account_id, username=row.username, display_name=row.display_name
        ),
        unit=UnitRef(id=row.unit_id, level=row.level, name=row.unit_name),
        name=row.name,
        platform=row.platform,
        app_version=row.app_version,
        app_supported_until=app_versions.of(db).last_day(row.platform, row.app_version),
        state=DeviceState.revoked if row.revoked_at else DeviceState.enrolled,
        enrolled_at=row.created_at,
        last_seen_at=row.last_seen_at,
        signed_in=row.signed_in,
        current=row.id == actor.device_id,
        revoked_at=row.revoked_at,
        wipe_requested_at=row.wipe_requested_at,
        wiped_at=row.wiped_at,
        unsent=row.unsent,
        unsent_since=row.unsent_since,
        last_success_at=row.last_success_at,
        last_error_at=row.last_error_at,
        last_error=row.last_error,
        reported_at=row.reported_at,
        revision=row.revision,
    )


def _written(session: Session, actor: Actor, device: Device) -> DeviceRead:
    session.flush()
    return get_device(session, actor, device.id)


# -- enrolling


def enrol(
    session: Session, signin: Signin, actor: Actor, body: DeviceEnrol
) -> tuple[DeviceRead, bool]:
    """Enrol the phone that asks, and bind its sign-in session to it; whether the device is new.

    A bound session stays bound: else a thief could take it over to a device of their own, before the
    stolen one is revoked.
    """
    if actor.kind is not AccountKind.person:
        raise Problem("wrong_account_kind", kind=AccountKind.person)
    app_versions.of(session).ensure_served(body.platform, body.app_version)
    # The account is held, so that two phones at once cannot pass the limit; then the device, and its
    # session last, as in a revocation.
    accounts.hold(session, actor.account_id)
    session.get(Device, body.id, with_for_update=True)
    opened = session.get_one(AuthSession, actor.session_id)
    if opened.device_id not in (None, body.id):
        raise Problem("session_has_device", extra={"device_id": str(opened.device_id)})

    def made() -> Device:
        _ensure_within_limit(session, actor)
        now = utc_now()
        return Device(
            account_id=actor.account_id,
            name=body.name,
            platform=body.platform,
            app_version=body.app_version,
            last_seen_at=now,
            created_at=now,
            updated_at=now,
        )

    def same(device: Device) -> bool:
        # Its name may be another since: an officer has renamed it.
        return (device.account_id, device.platform) == (actor.account_id, body.platform)

    device, is_new = created_once(session, Device, body.id, made, same=same)
    if device.revoked_at is not None:
        raise bound_devices.revoked(device)
    device.app_version, device.last_seen_at = body.app_version, utc_now()
    opened.device_id = device.id
    session.flush()
    signin.forget(session_id=opened.id)
    return _written(session, replace(actor, device_id=device.id), device), is_new


def _ensure_within_limit(session: Session, actor: Actor) -> None:
    most = settings_of(session).most_devices
    enrolled = session.exec(
        select(col(Device.id)).where(
            col(Device.account_id) == actor.account_id, col(Device.revoked_at).is_(None)
        )
    ).all()
    if len(enrolled) >= most:
        raise Problem("too_many_devices", most=most)


# -- changing


def rename(
    session: Session, actor: Actor, device_id: UUID, body: DeviceUpdate, expected: Expected
) -> DeviceRead:
    """Give a device another name."""
    device = _hold(session, actor, device_id)
    ensure_revision(device.revision, expected)
    device.name = body.model_dump(exclude_unset=True).get("name", device.name)
    return _written(session, actor, device)


def revoke(
    session: Session, signin: Signin, actor: Actor, device_id: UUID, *, wipe: bool
) -> DeviceRead:
    """End a device with its sign-in sessions; `wipe` can also be asked for later."""
    device = _hold(session, actor, device_id)
    now = utc_now()
    if wipe and device.wipe_requested_at is None:
        device.wipe_requested_at = now
    if device.revoked_at is None:
        device.revoked_at = now
        sessions.revoke_of_device(session, signin, device.id)
    return _written(session, actor, device)


def _hold(session: Session, actor: Actor, device_id: UUID) -> Device:
    """The device, locked: one's own, or one of an account that the actor manages."""
    device = session.get(Device, device_id, with_for_update=True)
    if device is None:
        raise not_found()
    if device.account_id != actor.account_id:
        _ensure_managed(session, actor, device.account_id)
    return device


def _ensure_managed(db: Db, actor: Actor, account_id: UUID) -> Any:
    """The unit of an account that the actor manages."""
    unit = _unit_of_account(db, account_id)
    if not actor.covers(Right.accounts_read, unit):
        raise not_found()
    if not actor.covers(Right.accounts_write, unit):
        raise forbidden(db, actor, Right.accounts_write, unit.id)
    return unit


def owner_to_rescue(db: Db, actor: Actor, device_id: UUID, rights: Collection[Right]) -> UUID:
    """The account of a device whose records the actor may hand in: who manages the account, and has the
    rights that the records need where the account is. A device that was wiped has none."""
    statement = sa.select(col(Device.account_id)).where(
        col(Device.id) == device_id, col(Device.wiped_at).is_(None)
    )
    account_id: UUID | None = db.execute(statement).scalar_one_or_none()
    if account_id is None:
        raise not_found()
    if account_id == actor.account_id:
        return account_id
    unit = _ensure_managed(db, actor, account_id)
    for right in sorted(rights):
        if not actor.covers(right, unit):
            raise forbidden(db, actor, right, unit.id)
    return account_id


def _unit_of_account(db: Db, account_id: UUID) -> Any:
    return db.execute(
        sa.select(*(getattr(Unit, name) for name in ("id", "level", *PATH)))
        .join(Account, col(Account.unit_id) == col(Unit.id))
        .where(col(Account.id) == account_id)
    ).one()


# -- the phone confirms


def confirm_wiped(session: Session, signin: Signin, token: str) -> None:
    """The phone has deleted what it kept; unknown tokens are no error, as in a revocation."""
    session_id = sessions.session_of(session, signin, token)
    if session_id is None:
        return
    device = session.exec(
        select(Device)
        .join(AuthSession, col(AuthSession.device_id) == col(Device.id))
        .where(col(AuthSession.id) == session_id)
        .with_for_update(of=Device)
    ).one_or_none()
    if device is None or device.wipe_requested_at is None or device.wiped_at is not None:
        return
    device.wiped_at = utc_now()
    session.flush()
