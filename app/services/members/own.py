"""The caller's own record: all of it is readable, the contact data can be corrected."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.clock import local_today
from app.errors import Problem
from app.models.kernel.access import Right, Role
from app.models.kernel.units import UnitLevel
from app.models.members.corrections import OwnUpdate
from app.models.members.members import MemberUpdate
from app.services.kernel.access import Actor, HeldGrant
from app.services.members import record

_OVER_HERSELF = frozenset(
    {
        Right.members_read,
        Right.members_write,
        Right.appointments_read,
        Right.changes_read,
        Right.privacy_record,
        Right.privacy_read,
        Right.privacy_manage,
        Right.poverty_read,
        Right.support_read,
        Right.support_children,
    }
) | frozenset(record.MASKS.values())


def own_id(actor: Actor) -> UUID:
    """The member behind the account, or 404."""
    if actor.member_id is None:
        raise Problem("no_own_record")
    return actor.member_id


def herself(actor: Actor) -> Actor:
    """The caller as owner of her record, for services that use nothing but `own_id`.

    It holds in any unit, so that a transfer does not take away the access to her own record.
    """
    everywhere = HeldGrant(
        id=own_id(actor),
        role=Role.delegate,
        valid_from=local_today(),
        valid_to=None,
        unit_id=0,
        level=UnitLevel.central,
        name="",
        province_id=None,
        district_id=None,
        commune_id=None,
        branch_id=None,
        communes=(),
        delegated=_OVER_HERSELF,
    )
    return replace(actor, grants=(everywhere,), _reach={})


def update(session: Session, actor: Actor, body: OwnUpdate, expected: int | None) -> dict[str, Any]:
    """Correct the caller's contact data, by the rules that hold for all records."""
    changed = MemberUpdate(**body.model_dump(exclude_unset=True))
    item, _ = record.update(session, herself(actor), own_id(actor), changed, expected)
    return item
