"""A career: what a person was and did in the union, on one line of time."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from app.models.base import Output
from app.models.cadres.appointments import Post
from app.models.cadres.trainings import TrainingKind
from app.models.kernel.units import UnitRef


class CareerKind(StrEnum):
    admitted = "admitted"
    transferred = "transferred"
    readmitted = "readmitted"
    # Her branch was made part of this one.
    reorganised = "reorganised"
    left = "left"
    died = "died"
    post_taken = "post_taken"
    post_ended = "post_ended"
    training = "training"
    group = "group"


class CareerSource(StrEnum):
    """What a career is put together from."""

    memberships = "memberships"
    participations = "participations"
    appointments = "appointments"
    trainings = "trainings"


class CareerItem(Output):
    """`on` is its first day (null: unknown), `valid_to` its last (null: not over, or a single event).

    `record_id` is the spell, participation, appointment or training it comes from; `reason` the
    code of what ended it; `note` the decision, or what was written beside it.
    """

    on: date | None
    valid_to: date | None
    kind: CareerKind
    record_id: UUID
    unit: UnitRef | None
    title: str | None
    post: Post | None
    acting: bool
    training: TrainingKind | None
    reason: str | None
    note: str | None


class CareerRead(Output):
    """Oldest first. `hidden` names what the caller may not see."""

    member_id: UUID
    items: list[CareerItem]
    hidden: list[CareerSource]
