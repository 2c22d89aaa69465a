"""What a member is shown of the units she belongs to, and of who leads her branch."""

from typing import Annotated, ClassVar
from uuid import UUID

from app.models.base import Output
from app.models.kernel.access import Right
from app.models.kernel.sensitive import About, Sensitive
from app.models.kernel.units import UnitRef


class OwnHeadRead(Output):
    """Who leads her branch. `phone` is null where none is on record, where the head has no record
    (`member_id` null), and where her data are restricted."""

    about: ClassVar = About("member", ids=("member_id",))

    member_id: UUID | None
    name: str
    phone: Annotated[str | None, Sensitive(Right.members_phone)]


class OwnBranchRead(Output):
    """Her branch with the units above it, and its head; null for who is in no branch any more."""

    branch: UnitRef | None
    commune: UnitRef | None
    province: UnitRef | None
    head: OwnHeadRead | None
