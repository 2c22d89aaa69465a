"""The device that a sign-in session belongs to: found when the session is opened, seen when it goes
on, and what the phone is answered when the session ended with its device."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.errors import Problem
from app.models.identity.devices import Device
from app.models.kernel.sessions import AuthSession
from app.services.kernel.access import Db

_OF_SESSION = (
    sa.select(col(Device.id), col(Device.wipe_requested_at), col(Device.wiped_at))
    .join(AuthSession, col(AuthSession.device_id) == col(Device.id))
    .where(col(AuthSession.id) == sa.bindparam("session_id"), col(Device.revoked_at).is_not(None))
)


def device_to_sign_in_on(session: Session, account_id: UUID, device_id: UUID) -> UUID | None:
    """The device, kept from being revoked until the commit; None where the account has no such one.

    401 `device_revoked` once it was revoked: a thief who knows the password gets it as well.
    """
    device = session.exec(
        select(Device)
        .where(col(Device.id) == device_id, col(Device.account_id) == account_id)
        .with_for_update()
    ).one_or_none()
    if device is None:
        return None
    if device.revoked_at is not None:
        raise revoked(device)
    device.last_seen_at = utc_now()
    return device.id


def see(session: Session, device_id: UUID | None) -> None:
    """The device was heard from."""
    if device_id is not None:
        session.connection().execute(
            sa.update(Device).where(col(Device.id) == device_id).values(last_seen_at=utc_now())
        )


def told_of_session(db: Db, session_id: UUID) -> Problem | None:
    """The refusal for a phone whose session ended with its device; None if it ended otherwise."""
    row = db.execute(_OF_SESSION, {"session_id": session_id}).one_or_none()
    return None if row is None else revoked(row)


def revoked(device: Any) -> Problem:
    """`wipe`: the phone has to delete what it keeps under this device, and to confirm it."""
    wipe = device.wipe_requested_at is not None and device.wiped_at is None
    return Problem("device_revoked", extra={"device_id": str(device.id), "wipe": wipe})
