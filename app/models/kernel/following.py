"""Following the change log: what every follower sends, and what each of its pages says."""

import re
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field

from app.models.base import Instant, ListQuery, Name, Page


class EntityName(Name):
    """A kind of entity that the change log follows."""


class StartOverReason(StrEnum):
    """Why a follower cannot go on from where it is and has to export anew.

    `ahead`: its `seq` was not given yet. `ahead_of_log`: a backup was restored that does not hold
    what it has read above `lost_after`; those numbers are given again. `expired`: what came next is
    no longer kept. `other_epoch`: its `epoch` is not known here. `foreign`: the position is another
    account's, or of another list. `other_device`: it was given to another device of the account.
    `unreadable`: it is cut off or changed, or another installation has made it.
    """

    ahead = "ahead"
    ahead_of_log = "ahead_of_log"
    expired = "expired"
    other_epoch = "other_epoch"
    foreign = "foreign"
    other_device = "other_device"
    unreadable = "unreadable"


def separated(value: object) -> object:
    """`a,b` and `a` beside `b` are the same list."""
    if not isinstance(value, list):
        return value
    return [name for part in value for name in str(part).split(",")]


def _with_its_plus(value: object) -> object:
    """A plus that was not escaped in an address arrives as a space."""
    return re.sub(r" (?=[0-9:]+$)", "+", value) if isinstance(value, str) else value


class FollowQuery(ListQuery):
    """`after` and `epoch` are those of the last page read; without them, from the beginning."""

    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        default=0, description="Only changes after this `seq`."
    )
    epoch: UUID | None = Field(
        default=None,
        description="The `epoch` in which `after` was read. After a restore the follower goes on where"
        " the two agree, else it gets 409 `start_over`.",
    )
    kinds: Annotated[list[EntityName], BeforeValidator(separated)] = Field(
        default_factory=list,
        description="Only changes of these kinds of entities, separated by commas.",
    )
    since_time: Annotated[Instant, BeforeValidator(_with_its_plus)] | None = Field(
        default=None, description="Only changes made at this instant or later, to the second."
    )


class Followed(Page):
    """`seq` is the newest there is, read before this page: when `next_cursor` is null, go on with
    `after` = `seq`, whatever was filtered out. `epoch` goes with it.
    """

    seq: int
    epoch: UUID
