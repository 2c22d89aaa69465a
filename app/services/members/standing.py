"""The units of the member of a row, for the change log of tables that name a member."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.members.members import Member
from app.services.kernel.tracking import Row, Units, UnitsOf, in_branch

_PATH = sa.select(col(Member.province_id), col(Member.commune_id), col(Member.branch_id)).where(
    col(Member.id) == sa.bindparam("member_id")
)


def of_member(column: str = "member_id") -> UnitsOf:
    """The units of the member whom this column names; in a set they may be known already."""

    def units(session: Session, row: Row) -> Units:
        known: dict[Any, dict[str, Any]] = session.info.get("member_paths", {})
        if (path := known.get(row[column])) is not None:
            return in_branch(session, path)
        member = session.connection().execute(_PATH, {"member_id": row[column]}).one()
        return in_branch(session, dict(member._mapping))

    return units


def path_of(session: Session, member_id: UUID) -> dict[str, Any] | None:
    """The member's branch, commune and province; None when the record is gone."""
    row = session.connection().execute(_PATH, {"member_id": member_id}).one_or_none()
    return None if row is None else dict(row._mapping)
