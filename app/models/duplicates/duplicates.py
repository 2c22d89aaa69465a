"""Duplicates (trùng): why two records may be one person, and the pairs somebody has to look at."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import (
    Input,
    ListQuery,
    MemberId,
    Output,
    Page,
    Parameters,
    Revised,
    UnitId,
    Uuid,
    json_type,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.sensitive import About, SensitiveIf
from app.models.kernel.units import UnitRef
from app.models.members.fields import CitizenId, IdCard, PartialDate, PersonName, Phone
from app.models.members.members import MemberSaved, MemberStatus


class Reason(StrEnum):
    name_same = "name_same"
    name_without_tones = "name_without_tones"
    name_near = "name_near"
    birth_date_same = "birth_date_same"
    birth_year_same = "birth_year_same"
    birth_year_close = "birth_year_close"
    birth_differs = "birth_differs"
    branch_same = "branch_same"
    commune_same = "commune_same"
    citizen_id_same = "citizen_id_same"
    citizen_id_differs = "citizen_id_differs"
    id_card_same = "id_card_same"
    phone_same = "phone_same"


class ReasonFacts(NamedTuple):
    points: int
    vi: str
    en: str
    # The sensitive field of both that the reason reveals.
    tells: str | None = None


REASONS: dict[Reason, ReasonFacts] = {
    Reason.name_same: ReasonFacts(38, "Cùng họ tên", "Same name"),
    Reason.name_without_tones: ReasonFacts(34, "Cùng họ tên khi bỏ dấu", "Same name without tones"),
    Reason.name_near: ReasonFacts(18, "Họ tên gần giống", "Nearly the same name"),
    Reason.birth_date_same: ReasonFacts(30, "Cùng ngày sinh", "Same date of birth"),
    Reason.birth_year_same: ReasonFacts(20, "Cùng năm sinh", "Same year of birth"),
    Reason.birth_year_close: ReasonFacts(6, "Năm sinh lệch 1", "Birth year ±1"),
    Reason.birth_differs: ReasonFacts(-20, "Năm sinh khác nhau", "Another year of birth"),
    Reason.branch_same: ReasonFacts(15, "Cùng chi hội", "Same branch"),
    Reason.commune_same: ReasonFacts(5, "Cùng xã", "Same commune"),
    Reason.citizen_id_same: ReasonFacts(
        60, "Cùng số định danh/CCCD", "Same citizen id", "citizen_id"
    ),
    Reason.citizen_id_differs: ReasonFacts(
        -30, "Số định danh/CCCD khác nhau", "Another citizen id", "citizen_id"
    ),
    Reason.id_card_same: ReasonFacts(50, "Cùng số CMND", "Same id card", "id_card"),
    Reason.phone_same: ReasonFacts(
        14, "Cùng số điện thoại (hay dùng chung)", "Same phone (often shared)", "phone"
    ),
}


class PairState(StrEnum):
    """`distinct`: two people, never suggested again. `merged`: one person, one record."""

    open = "open"
    distinct = "distinct"
    merged = "merged"


class DuplicatePair(Revised, table=True):
    """Two records that may be one person, `member_a` < `member_b`.

    No foreign keys: a pair outlives the record that was merged away. Their units are read from
    their records, which move. `tells`: an actor who sees only one of them may learn of the other
    (`matching.telling`).
    """

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        sa.Index("uq_duplicate_pair_member_a_member_b", "member_a", "member_b", unique=True),
        sa.Index("ix_duplicate_pair_member_b", "member_b"),
        sa.Index("ix_duplicate_pair_state_score_id", "state", "score", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_a: UUID = Field(sa_type=Uuid)
    member_b: UUID = Field(sa_type=Uuid)
    score: int
    reasons: list[Reason] = Field(sa_type=json_type)
    tells: bool
    state: PairState = Field(default=PairState.open, sa_type=str_enum(PairState))
    found_at: datetime
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None
    note: str | None = Field(default=None, max_length=500)


# -- what clients send


class MatchRequest(Input):
    """A person as entered in a form.

    With `member_id`, she is on record and no candidate herself. Without a branch she is found by
    her numbers, and by her name with her whole date of birth. `citizen_id` may be sent alone, to
    find who has exactly this number.
    """

    full_name: PersonName | None = None
    birth_date: PartialDate | None = None
    branch_id: UnitId | None = None
    phone: Phone | None = None
    citizen_id: CitizenId | None = None
    id_card: IdCard | None = None
    member_id: MemberId | None = None


class PairFilter(StrEnum):
    """Pairs that are merged are found by their merge."""

    open = "open"
    distinct = "distinct"


class PairQuery(ListQuery):
    """The likeliest first. `unit`: with a record in this unit or below it; `state`: open ones."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    state: PairFilter = Field(default=PairFilter.open, description="Only this state.")
    min_score: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="Only pairs at least as likely, 0 to 100."
    )


class PairCountQuery(Parameters):
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class PairDecision(Input):
    note: Annotated[str, *lines(500)] | None = None


# -- what clients get


def _noted_by(reason: str) -> Iterable[str]:
    tells = REASONS[Reason(reason)].tells
    return () if tells is None else (tells,)


class MatchReasonRead(Output):
    """`points` may be negative; those of all reasons add up to the score."""

    code: Annotated[Reason, SensitiveIf(_noted_by)]
    points: int
    text_vi: str
    text_en: str


class CandidateRead(Output):
    """Somebody on record who may be the person asked about.

    Out of my scope (`masked`) the answer holds only the commune to ask, and the reasons, which
    repeat what was sent. `pair_id`: the pair in the inbox, if I may see it.
    """

    about: ClassVar = About("member", ("member_id",))

    score: int
    reasons: list[MatchReasonRead]
    masked: bool
    unit: UnitRef
    member_id: UUID | None
    full_name: str | None
    birth_date: str | None
    branch_id: int | None
    status: MemberStatus | None
    pair_id: UUID | None


class MatchResult(Output):
    """The likeliest first, at most ten."""

    candidates: list[CandidateRead]


class MemberCreated(MemberSaved):
    """A member just admitted; `duplicates` are on record already and may be the same person."""

    duplicates: list[CandidateRead]


class PairRead(Output):
    """One pair as seen from a record of mine (`member_id`).

    The `other` is null where it is out of my scope; `other_unit` is then whom to ask.
    `may_merge`: both records are mine to merge.
    """

    about: ClassVar = About("member", ("member_id", "other_id"))

    id: UUID
    score: int
    reasons: list[MatchReasonRead]
    state: PairState
    member_id: UUID
    full_name: str
    birth_date: str
    branch_id: int
    branch_name: str
    status: MemberStatus
    other_id: UUID | None
    other_full_name: str | None
    other_birth_date: str | None
    other_branch_id: int | None
    other_branch_name: str | None
    other_status: MemberStatus | None
    other_unit: UnitRef
    may_merge: bool
    found_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    note: str | None
    revision: int


class PairCount(Output):
    """Pairs with a record in the unit (all I see without one): still to be looked at, and decided
    to be two people."""

    unit: UnitRef | None
    open: int
    distinct: int


class PairPage(Page):
    items: list[PairRead]
