"""Accounts for the heads of many branches at once."""

from enum import StrEnum
from uuid import UUID

from app.models.base import Input, Output, UnitId
from app.models.kernel.units import UnitRef
from app.problem_texts import ProblemCode


class HeadsInvite(Input):
    """The heads of the branches in this unit."""

    unit_id: UnitId


class InvitationOutcome(StrEnum):
    invited = "invited"
    has_account = "has_account"
    refused = "refused"


class HeadInvitation(Output):
    """`problem` says why she was refused: a code as of `POST /v1/accounts`."""

    unit: UnitRef
    member_id: UUID
    full_name: str
    outcome: InvitationOutcome
    account_id: UUID | None
    username: str | None
    problem: ProblemCode | None


class HeadInvitations(Output):
    """One item for each head in office. `left` heads wait for the next call; `without_head` are the
    open branches that have none. The codes stand on the sheet (`sheet_url`)."""

    items: list[HeadInvitation]
    invited: int
    has_account: int
    refused: int
    left: int
    without_head: int
    sheet_url: str
