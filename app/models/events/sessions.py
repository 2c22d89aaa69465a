"""Sessions of events and their rooms, as clients send and get them; the tables are in `events`."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import MISSING, AwareDatetime, StringConstraints
from pydantic import Field as Constraint

from app.models.base import Day, Input, Instant, ListQuery, Output, Page, UnitId, line
from app.models.events.events import (
    EventState,
    Minutes,
    SessionMode,
    SessionState,
    Title,
    WebAddress,
    Where,
)
from app.models.kernel.code_lists import EventKind
from app.models.kernel.hierarchy import ListInHierarchy
from app.problem_texts import HintCode

# -- what clients send


class SessionUpdate(Input):
    """A JSON merge patch. What may be changed depends on the state: see PATCH /v1/sessions/{id}."""

    elsewhere: ClassVar[Mapping[str, HintCode]] = {"state": "changed_by_session_act"}

    title: Title | None | MISSING = MISSING
    starts_at: Instant | MISSING = MISSING
    ends_at: Instant | MISSING = MISSING
    mode: SessionMode | MISSING = MISSING
    place: Where | None | MISSING = MISSING
    join_url: WebAddress | None | MISSING = MISSING
    late_after: Minutes | None | MISSING = MISSING
    online_minutes: Minutes | None | MISSING = MISSING


class AgendaQuery(ListQuery):
    """In order of time. `from`, `to`: days of Vietnam."""

    event: UUID | None = Constraint(default=None, description="Only sessions of this event.")
    from_: Day | None = Constraint(
        alias="from", default=None, description="The first day of the period."
    )
    to: Day | None = Constraint(
        default=None, description="The last day of the period; today by default."
    )
    kind: EventKind | None = Constraint(default=None, description="Only this kind.")
    state: SessionState | None = Constraint(default=None, description="Only this state.")
    mode: SessionMode | None = Constraint(
        default=None, description="Only held, or attended, in this way."
    )
    tag: Annotated[str, Constraint(max_length=60)] | None = Constraint(
        default=None, description="Only of this programme or campaign."
    )


class SessionQuery(AgendaQuery, ListInHierarchy):
    """`unit`: of events hosted by it or anything below it, or inviting them."""

    unit: UnitId | None = Constraint(
        default=None, description="Only what stands in this unit or below it."
    )
    mine: bool = Constraint(
        default=False, description="Only of the units I have a role or am a member in."
    )

    @property
    def last_day(self) -> date | None:
        return self.to


Rule = Annotated[str, *line(500), StringConstraints(pattern=r"^(RRULE:)?FREQ=[A-Za-z0-9=;,+:-]+$")]


class Recurrence(Input):
    """An RRULE (RFC 5545) in the time of Vietnam, the first sitting being `starts_at`: for example
    `FREQ=MONTHLY;BYDAY=3SU;COUNT=12`, every third Sunday of a month. `starts_at` itself counts only
    if the rule gives it."""

    rule: Rule
    starts_at: Instant
    ends_at: Instant
    mode: SessionMode = SessionMode.in_person
    place: Where | None = None
    join_url: WebAddress | None = None
    late_after: Minutes | None = None
    online_minutes: Minutes | None = None


class RoomCreate(Input):
    """`unit_id`: whose room it is; `name` is then that unit's by default."""

    id: UUID | None = None
    unit_id: UnitId | None = None
    name: Title | None = None
    place: Where | None = None
    device_note: Title | None = None


class RoomUpdate(Input):
    name: Title | MISSING = MISSING
    place: Where | None | MISSING = MISSING
    device_note: Title | None | MISSING = MISSING
    head_count: Annotated[int, Constraint(ge=0, le=100_000)] | None | MISSING = MISSING


# -- what clients get


class RoomRead(Output):
    id: UUID
    session_id: UUID
    unit_id: int | None
    name: str
    place: str | None
    device_note: str | None
    head_count: int | None
    revision: int


class RoomPage(Page):
    items: list[RoomRead]


class SessionRead(Output):
    """`event_title`, `kind` and `event_state` are the event's; so is `place`, unless the session has
    its own.

    `local_date` is the day in Vietnam; the members of the invited units on that day are its roster.
    `join_url` is for those who are invited or may change it: for others it is null, and named in
    `masked`.
    """

    id: UUID
    event_id: UUID
    event_title: str
    kind: str
    event_state: EventState
    tag: str | None
    title: str | None
    number: int
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    local_date: date
    mode: SessionMode
    place: str | None
    join_url: str | None
    state: SessionState
    reason: str | None
    late_after: int | None
    online_minutes: int | None
    held_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    host_unit_ids: list[int]
    invited_unit_ids: list[int]
    masked: list[str]
    revision: int


class SessionDetail(SessionRead):
    rooms: list[RoomRead]


class SessionPage(Page):
    items: list[SessionRead]


class GivenSession(Output):
    """A session of a rule that people have changed: where the rule puts it, and where it is."""

    session_id: UUID
    rule_starts_at: AwareDatetime
    starts_at: AwareDatetime


class Generated(Output):
    """What a rule has made of the sessions of an event.

    `sessions` take place by the rule. Of them `created` are new, `moved` follow it to another time
    with their answers (`answers_moved`), `restored` had been cancelled by an earlier change of the
    rule, `taken_in` had been entered by hand at one of its times; the others are `kept`.
    What it no longer gives was `removed` from a draft, or `cancelled`: their answers stay there
    (`answers_left`). What people did stays: `still_cancelled` and `still_moved`. `beside` counts
    sessions that are not of the rule. `cut_after`: the rule asks for more, and was followed for
    three years, to this day.
    """

    rule: str
    sessions: int
    created: int
    taken_in: int
    kept: int
    moved: int
    restored: int
    removed: int
    cancelled: int
    still_cancelled: list[GivenSession]
    still_moved: list[GivenSession]
    answers_moved: int
    answers_left: int
    beside: int
    cut_after: date | None
