"""Branches that stand elsewhere, or go on in another one: their households are counted there."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.kernel.units import UnitClosure
from app.models.poverty.flows import PovertyStay
from app.services.poverty.account import restate
from app.services.units.followers import Handover


def restate_under(session: Session, unit_ids: Sequence[int]) -> None:
    """Units have moved: the households of their branches are counted elsewhere from now on."""
    branches = sa.select(col(UnitClosure.descendant_id)).where(
        col(UnitClosure.ancestor_id).in_(unit_ids)
    )
    _restate_in(session, branches)


def restate_handed(session: Session, handover: Handover, _: None = None) -> None:
    """Households of branches go on in another one, or stand where they stood again."""
    _restate_in(session, [*handover.from_ids, handover.to_id])


def _restate_in(session: Session, branches: Any) -> None:
    counted = sa.select(col(PovertyStay.household_id)).where(
        col(PovertyStay.branch_id).in_(branches)
    )
    restate(session, session.execute(counted.distinct()).scalars())
