"""Merges (gộp): two records of one person become one, which can be undone for a time."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import (
    Input,
    MemberId,
    Output,
    Page,
    Revised,
    Sealed,
    Uuid,
    json_type,
    lines,
    new_id,
    str_enum,
)


class MergeState(StrEnum):
    merged = "merged"
    undone = "undone"


class Side(StrEnum):
    kept = "kept"
    other = "other"


class Merge(Revised, table=True):
    """The record `gone_id` went into `kept_id`; its id finds the kept one for ever.

    `journal` holds every row the merge touched as it was and as it became, sealed; it is emptied
    once the merge can no longer be undone. No foreign keys: the row outlives the record that went.
    """

    __tablename__ = "merge"
    __table_args__ = (
        sa.Index("ix_merge_kept_id", "kept_id"),
        sa.Index(
            "ix_merge_undo_until",
            "undo_until",
            sqlite_where=sa.text("journal IS NOT NULL"),
            postgresql_where=sa.text("journal IS NOT NULL"),
        ),
        sa.Index(
            "uq_merge_gone",
            "gone_id",
            unique=True,
            sqlite_where=sa.text("state = 'merged'"),
            postgresql_where=sa.text("state = 'merged'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    kept_id: UUID = Field(sa_type=Uuid)
    gone_id: UUID = Field(sa_type=Uuid)
    reason: str = Field(max_length=500)
    fields: dict[str, Side] = Field(sa_type=json_type)
    state: MergeState = Field(default=MergeState.merged, sa_type=str_enum(MergeState))
    merged_by: UUID = Field(sa_type=Uuid)
    merged_at: datetime
    # The last day on which it can be undone.
    undo_until: date
    undone_by: UUID | None = Field(default=None, sa_type=Uuid)
    undone_at: datetime | None = None
    journal: str | None = Field(default=None, sa_type=Sealed("merge"))


class MergeObstacle(StrEnum):
    """An obstacle to a merge or to its undo."""

    transfer_under_way = "transfer_under_way"
    membership_overlap = "membership_overlap"
    died_before = "died_before"
    two_accounts = "two_accounts"
    households_overlap = "households_overlap"
    post_twice = "post_twice"
    merged_further = "merged_further"
    memberships_changed = "memberships_changed"
    changed_since = "changed_since"


class ObstacleFacts(NamedTuple):
    vi: str
    en: str


OBSTACLES: dict[MergeObstacle, ObstacleFacts] = {
    MergeObstacle.transfer_under_way: ObstacleFacts(
        "Đang chuyển sinh hoạt: hoàn tất hoặc huỷ trước.",
        "A transfer is under way: finish or cancel it first.",
    ),
    MergeObstacle.membership_overlap: ObstacleFacts(
        "Cùng thời gian ở hai chi hội: chọn giữ quá trình sinh hoạt của một hồ sơ.",
        "In two branches at the same time: choose memberships, kept or other.",
    ),
    MergeObstacle.died_before: ObstacleFacts(
        "Một hồ sơ ghi đã mất, hồ sơ kia còn sinh hoạt sau đó: đính chính trước.",
        "One record says she died, the other that she was a member later: correct one first.",
    ),
    MergeObstacle.two_accounts: ObstacleFacts(
        "Cả hai hồ sơ đều gắn tài khoản: gỡ một tài khoản trước.",
        "Both records have an account: unlink one first (PATCH member_id null).",
    ),
    MergeObstacle.households_overlap: ObstacleFacts(
        "Cả hai hồ sơ cùng thời gian có tên trong hộ: đưa một hồ sơ ra khỏi hộ từ ngày vào hộ.",
        "Both are in a household at the same time: take one out of it, from the day it came in.",
    ),
    MergeObstacle.post_twice: ObstacleFacts(
        "Cùng giữ một chức vụ trong cùng thời gian ở cả hai hồ sơ: kết thúc một bên trước.",
        "Both hold the same post at the same time: end one first.",
    ),
    MergeObstacle.merged_further: ObstacleFacts(
        "Hồ sơ được giữ đã gộp tiếp vào hồ sơ khác: tách lần gộp đó trước.",
        "The kept record was merged into another since: undo that merge first.",
    ),
    MergeObstacle.memberships_changed: ObstacleFacts(
        "Quá trình sinh hoạt đã thay đổi sau khi gộp.",
        "Her memberships have changed since the merge.",
    ),
    MergeObstacle.changed_since: ObstacleFacts(
        "Giá trị do việc gộp ghi đã được sửa sau đó.",
        "A value written by the merge has been changed since.",
    ),
}


# -- what clients send


class FieldChoices(Input):
    """Whose value stays, field by field; without a choice the kept one's, or the other's where the
    kept one has none or only the year or month of the same date of birth."""

    full_name: Side | None = None
    given_name: Side | None = None
    birth_date: Side | None = None
    gender: Side | None = None
    kind: Side | None = None
    joined_on: Side | None = None
    core: Side | None = None
    phone: Side | None = None
    citizen_id: Side | None = None
    id_card: Side | None = None
    address: Side | None = None
    hometown: Side | None = None
    ethnicity: Side | None = None
    religion: Side | None = None
    party: Side | None = None
    party_joined_on: Side | None = None
    education: Side | None = None
    qualification: Side | None = None
    occupation: Side | None = None
    household_id: Side | None = None
    photo: Side | None = None


class MergeCreate(Input):
    """`other_id` is the record that goes; `reason` says why the two are one person.

    `memberships`: whose spells hold on days on which the two were in different branches; needed
    only where there are such days.
    """

    other_id: MemberId
    fields: FieldChoices = FieldChoices()
    memberships: Side | None = None
    reason: Annotated[str, *lines(500)]


# -- what clients get


class MergeRead(Output):
    """`fields`: whose value stayed where the two differed, but for sensitive ones. `undo_until` is
    the last day on which it can be undone; null when it cannot any more."""

    id: UUID
    kept_id: UUID
    gone_id: UUID
    reason: str
    fields: dict[str, Side]
    state: MergeState
    merged_by: UUID
    merged_at: AwareDatetime
    undo_until: date | None
    undone_by: UUID | None
    undone_at: AwareDatetime | None
    revision: int


class MergePage(Page):
    items: list[MergeRead]
