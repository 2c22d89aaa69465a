"""Acts that need two persons: who proposes, and another who approves.

Two accounts are not always two persons. Whoever created, invited or reset an account was shown its
one-time code and may be the one who uses it; so may whoever did that to their account, and so on.
Two accounts that a colleague, an officer of the same unit, made are both that colleague's.
"""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import Problem
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, Operation
from app.services.identity.armers import armers
from app.services.kernel.access import Actor, Db, who_holds


def independent(db: Db, first: UUID, second: UUID) -> bool:
    """The two accounts are entered by two persons, neither of whom made the other's, and no
    colleague of theirs made both.
    """
    return first != second and not (
        _made_by(db, first, second)
        or _made_by(db, second, first)
        or _colleagues(db, first) & _colleagues(db, second)
    )


def ensure_independent(
    session: Session, actor: Actor, first: UUID | None, right: Right, unit_id: int
) -> UUID:
    """The account of the first person (`first`; None when nobody has acted yet); 409 that names the
    units whose officers may act as the second person: this one, or those above it.
    """
    if first is not None and independent(session, first, actor.account_id):
        return first
    who = actor.account_id if first is None else first
    raise second_person_needed(session, who, right, [unit_id])


def second_person_needed(db: Db, first: UUID, right: Right, unit_ids: Collection[int]) -> Problem:
    """409 that names the units whose officers are another person than the first."""
    holders = who_holds(
        db, {right}, unit_ids, lambda account_id: independent(db, first, account_id)
    )
    return Problem(
        "second_person_needed",
        right=right,
        extra={
            "required_right": right.value,
            "units": [each.model_dump(mode="json") for each in holders],
        },
    )


def _made_by(db: Db, account_id: UUID, maker: UUID) -> bool:
    """The maker issued the account's code, directly or through others, and nobody but the maker has
    decided on a post of its holder.
    """
    if maker not in _makers(db, account_id):
        return False
    return not any(
        decider is None or (decider != maker and maker not in _makers(db, decider))
        for decider in _deciders(db, account_id)
    )


def _colleagues(db: Db, account_id: UUID) -> set[UUID]:
    """Who made the account, and has or had a grant in a unit in which it has or had one."""
    theirs, own = aliased(Grant), aliased(Grant)
    makers = _makers(db, account_id)
    found = db.execute(
        sa.select(col(theirs.account_id))
        .join(own, col(own.unit_id) == col(theirs.unit_id))
        .where(col(own.account_id) == account_id, col(theirs.account_id).in_(makers))
    ).scalars()
    return {maker for maker in set(found) if _made_by(db, account_id, maker)}


def _makers(db: Db, account_id: UUID) -> set[UUID]:
    """Who issued what opens the account, who issued what opens theirs, and so on."""
    found: set[UUID] = set()
    asked = {account_id}
    while asked:
        accounts = sa.select(col(Account.id), col(Account.armed_by)).where(
            col(Account.id).in_(asked)
        )
        makers = [armers(db, row) for row in db.execute(accounts).all()]
        asked = set().union(*makers) - found
        found |= asked
    return found


def _deciders(db: Db, account_id: UUID) -> list[UUID | None]:
    """Who entered the posts whose roles the account has today; None: done on the server itself."""
    today = local_today()
    posts = db.execute(
        sa.select(col(Grant.appointment_id)).where(
            col(Grant.account_id) == account_id,
            col(Grant.appointment_id).is_not(None),
            col(Grant.valid_from) <= today,
            sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= today),
        )
    ).scalars()
    entered = sa.select(col(Change.account_id)).where(
        col(Change.entity) == "appointment",
        col(Change.entity_id).in_([str(post) for post in posts]),
        col(Change.operation) == Operation.created,
    )
    return list(db.execute(entered).scalars())
