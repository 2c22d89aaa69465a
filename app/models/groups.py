"""Groups beside branches: tổ phụ nữ, clubs and others. A group is a unit of level `group`; what is
here is who takes part in one, when. One member may take part in many at once."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from app.models.base import Revised, Uuid, new_id


class Participation(Revised, table=True):
    """A member in a group from one day to another, both inclusive."""

    __tablename__ = "participation"
    __table_args__ = (
        sa.Index("ix_participation_group_id_valid_to", "group_id", "valid_to"),
        sa.Index("ix_participation_member_id", "member_id"),
        sa.Index(
            "uq_participation_open",
            "group_id",
            "member_id",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    group_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    valid_from: date
    valid_to: date | None = None
