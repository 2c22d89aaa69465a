"""Transfers as they are read: lists and one transfer."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.db import AnySelect
from app.errors import not_found
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.models.memberships.transfers import (
    UNDER_WAY,
    Direction,
    Transfer,
    TransferQuery,
    TransferRead,
)
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, pages
from app.services.members import spells
from app.services.units.in_tree import rows_of_units
from app.services.units.units import find_unit

_Source, _Target = aliased(Unit), aliased(Unit)
_SourceCommune, _TargetCommune = aliased(Unit), aliased(Unit)
_PLACES = {
    "from_branch_name": col(_Source.name),
    "from_commune_id": col(_SourceCommune.id),
    "from_commune_name": col(_SourceCommune.name),
    "to_branch_name": col(_Target.name),
    "to_commune_id": col(_TargetCommune.id),
    "to_commune_name": col(_TargetCommune.name),
}


def _read(actor: Actor) -> AnySelect:
    """Transfers as TransferRead.

    Corrections of the member after the transfer was closed are shown only to those who see her.
    """
    told = sa.or_(col(Transfer.state).in_(UNDER_WAY), visible(Member, actor, Right.members_read))
    named = {
        name: sa.case((told, getattr(Member, name)), else_=getattr(Transfer, name))
        for name in ("full_name", "birth_year")
    } | _PLACES
    return (
        sa.select(
            *(
                named[name].label(name) if name in named else getattr(Transfer, name)
                for name in TransferRead.model_fields
            )
        )
        .join(Member, col(Member.id) == col(Transfer.member_id))
        .join(_Source, col(_Source.id) == col(Transfer.from_branch_id))
        .join(_Target, col(_Target.id) == col(Transfer.to_branch_id))
        .outerjoin(_SourceCommune, col(_SourceCommune.id) == col(_Source.commune_id))
        .outerjoin(_TargetCommune, col(_TargetCommune.id) == col(_Target.commune_id))
    )


def list_transfers(db: Db, actor: Actor, query: TransferQuery) -> Pages:
    """Transfers with a side in my scope, newest first."""
    require_somewhere(db, actor, Right.members_read)
    here = rows_of_units(
        db,
        actor,
        Right.members_read,
        find_unit(db, actor, query.unit),
        query,
        lambda unit: reach_of(db, unit).predicate(Unit),
    )
    sides = [
        sa.select(col(Transfer.id)).join(Unit, col(Unit.id) == branch).where(*here)
        for branch, direction in (
            (col(Transfer.from_branch_id), Direction.out),
            (col(Transfer.to_branch_id), Direction.in_),
        )
        if query.direction in (None, direction)
    ]
    # A walk of the index of each side: `OR` over both joins would read every transfer.
    statement = _read(actor).where(col(Transfer.id).in_(sa.union(*sides)))
    if query.state is not None:
        statement = statement.where(col(Transfer.state) == query.state)
    return pages(statement, _NEWEST)


def list_of_member(db: Db, actor: Actor, member_id: UUID) -> Pages:
    """Transfers of a member, newest first: all when the member is in scope, else those with a side
    that is."""
    statement = _read(actor).where(col(Transfer.member_id) == member_id)
    if not spells.sees(db, actor, member_id):
        statement = statement.where(_in_scope(actor))
        if db.execute(statement.limit(1)).first() is None:
            raise not_found()
    return pages(statement, _NEWEST)


_NEWEST = Order(col(Transfer.requested_at).desc(), col(Transfer.id).desc())


def get_transfer(db: Db, actor: Actor, transfer_id: UUID) -> Mapping[str, Any]:
    """One transfer with a side in my scope."""
    require_somewhere(db, actor, Right.members_read)
    statement = _read(actor).where(col(Transfer.id) == transfer_id, _in_scope(actor))
    row = db.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    return dict(row._mapping)


def _in_scope(actor: Actor) -> sa.ColumnElement[bool]:
    right = Right.members_read
    return sa.or_(visible(_Source, actor, right), visible(_Target, actor, right))


def read(session: Session, actor: Actor, transfer: Transfer) -> Mapping[str, Any]:
    """A transfer just written, as TransferRead."""
    row = session.execute(_read(actor).where(col(Transfer.id) == transfer.id)).one()
    return dict(row._mapping)
