"""The caller's own record: all of it is readable, the contact data can be corrected."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import Problem
from app.models.kernel.access import Right, Role
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit, UnitLevel, UnitRef
from app.models.members.corrections import OwnUpdate
from app.models.members.members import Member, MemberUpdate
from app.models.members.own import OwnBranchRead, OwnHeadRead
from app.services.kernel.access import Actor, Db, Expected, HeldGrant
from app.services.members import persons, record
from app.services.units import branches

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


def branch(db: Db, actor: Actor) -> OwnBranchRead:
    """The units she is in today, and how to reach the head of her branch."""
    person = persons.find(db, own_id(actor))
    if person is None or person.status not in persons.IN_UNION:
        return OwnBranchRead(branch=None, commune=None, province=None, head=None)
    ids = (person.branch_id, person.commune_id, person.province_id)
    rows = db.execute(
        sa.select(col(Unit.id), col(Unit.level), col(Unit.name)).where(col(Unit.id).in_(ids))
    )
    units = {row.id: UnitRef(id=row.id, level=row.level, name=row.name) for row in rows}
    of_branch, of_commune, of_province = map(units.get, ids)
    head = branches.heads(db, [person.branch_id]).get(person.branch_id)
    return OwnBranchRead(
        branch=of_branch,
        commune=of_commune,
        province=of_province,
        head=None if head is None else _head(db, head),
    )


def _head(db: Db, head: Mapping[str, str | None]) -> OwnHeadRead:
    """By her post, or by the record of the account that has the role."""
    of_post, of_role = head["member_id"], head["account_id"]
    account_id = None if of_role is None else UUID(of_role)
    by_role = sa.select(col(Account.member_id)).where(col(Account.id) == account_id)
    member_id = UUID(of_post) if of_post else db.execute(by_role).scalar_one_or_none()
    statement = sa.select(col(Member.phone)).where(
        col(Member.id) == member_id, sa.not_(col(Member.restricted))
    )
    phone = db.execute(statement).scalar_one_or_none()
    return OwnHeadRead(member_id=member_id, name=str(head["name"]), phone=phone)


def update(session: Session, actor: Actor, body: OwnUpdate, expected: Expected) -> dict[str, Any]:
    """Correct the caller's contact data, by the rules that hold for all records."""
    changed = MemberUpdate(**body.model_dump(exclude_unset=True))
    item, _ = record.update(session, herself(actor), own_id(actor), changed, expected)
    return item
