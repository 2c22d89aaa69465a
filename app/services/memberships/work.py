"""Transfers that wait for one of their sides."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.memberships.transfers import Transfer, TransferState
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.offers import Work


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """The source consents to what was requested, the target accepts what was consented to."""
    sides: list[AnySelect] = []
    for state, branch in (
        (TransferState.requested, Transfer.from_branch_id),
        (TransferState.consented, Transfer.to_branch_id),
    ):
        side = aliased(Unit)
        sides.append(
            sa.select(
                col(Transfer.id),
                col(Transfer.requested_at).label("since"),
                col(branch).label("unit_id"),
            )
            .join(side, col(side.id) == col(branch))
            .where(col(Transfer.state) == state, visible(side, actor, Right.members_write))
        )
    both: Any = sa.union_all(*sides).subquery()
    return sa.select(both)


TRANSFER = Work(
    kind="transfer", right=Right.members_write, waiting=_waiting, link="/v1/transfers/{id}"
)
