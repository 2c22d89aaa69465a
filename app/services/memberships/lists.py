"""The spells of all members of a unit, over a period."""

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.models.members.spells import Membership, MembershipItem, MembershipQuery
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, fields_of, pages
from app.services.kernel.periods import lasted
from app.services.members import scope

_OTHERS = {"branch_name": col(Unit.name), "full_name": col(Member.full_name)}
_ROW: AnySelect = (
    sa.select(
        *(
            _OTHERS[name].label(name) if name in _OTHERS else getattr(Membership, name)
            for name in MembershipItem.model_fields
        )
    )
    .join(Unit, col(Unit.id) == col(Membership.branch_id))
    .join(Member, col(Member.id) == col(Membership.member_id))
)
_OLDEST = Order(col(Membership.valid_from), col(Membership.id))


def list_memberships(db: Db, actor: Actor, query: MembershipQuery) -> Pages:
    """Spells that count, in branches where the actor reads members: also of members who have gone
    elsewhere since."""
    branches = scope.rows(
        db, actor, (), query, Unit, lambda places: places.have(Membership.branch_id)
    )
    statement = _ROW.where(
        branches, col(Membership.annulled_at).is_(None), lasted(Membership, query)
    )
    for column, value in (
        (Membership.joined_by, query.joined_by),
        (Membership.left_by, query.left_by),
    ):
        if value is not None:
            statement = statement.where(col(column) == value)
    return pages(statement, _OLDEST, fields_of(MembershipItem))
