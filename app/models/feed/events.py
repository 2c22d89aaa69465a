"""Events as followers read them: shaped as CloudEvents 1.0, in the order of the change log."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from app.models.base import Name, Output, Parameters, UnitId
from app.models.kernel.following import separated
from app.models.kernel.sensitive import StateOf

MOST_PLACES: Final = 1_000


class NewsKindName(Name):
    """A kind of rows that followers keep, by its entity in the change log."""


class EventOperation(StrEnum):
    """What a follower does with its copy of the row.

    `created`, `updated`, `moved`: keep it as `state` says. `entered`: the same; it came from units of
    others. `left`: drop it; it is in units of others now. `deleted`: drop it; `previous` is what it
    said last. `erased`: the person's data was erased; drop it, and what was derived from it.
    `withheld`: drop it; it exists and is not for copies now (processing is restricted). It comes again
    with its `state` when it is.
    """

    created = "created"
    updated = "updated"
    moved = "moved"
    entered = "entered"
    left = "left"
    deleted = "deleted"
    erased = "erased"
    withheld = "withheld"


class FeedQuery(Parameters):
    """`after` and `epoch` are the `seq` and the `epoch` of the last page; without them, from the
    beginning."""

    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        default=0, description="Only events after this `seq`."
    )
    epoch: UUID | None = Field(
        default=None,
        description="The `epoch` in which `after` was read. After a restore the follower goes on where"
        " the two agree, else it gets 409 `start_over`.",
    )
    kinds: Annotated[list[NewsKindName], BeforeValidator(separated)] = Field(
        default_factory=list,
        description="Only events of these kinds, separated by commas; else all.",
    )
    unit: UnitId | None = Field(
        default=None, description="Only what stood in this unit or below it by then."
    )
    limit: Annotated[int, Field(ge=1, le=MOST_PLACES)] = Field(
        default=200, description="So many changes are looked at for a page at most."
    )


class FeedRowsQuery(Parameters):
    """`after` is the `next` of the page before; without it, from the first row on."""

    kind: NewsKindName = Field(description="Rows of this kind.")
    after: Annotated[str, Field(max_length=36)] | None = Field(
        default=None, description="Only rows after this one, by the `next` of the last page."
    )
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    limit: Annotated[int, Field(ge=1, le=MOST_PLACES)] = Field(
        default=200, description="So many rows on a page at most."
    )


class DroppedRows(Output):
    """Rows to drop: those of the `entity` whose `field` is the id of the event's row."""

    entity: str
    field: str


class BroughtRow(Output):
    """A row to be kept as a `state` is. One that comes with the row of an event is as it was by then."""

    entity: str
    entity_id: str
    revision: int
    unit_path: list[int]
    state: Annotated[dict[str, Any], StateOf("entity")]
    masked: list[str]


class FeedRows(Output):
    """Rows as they are now, in the order of their ids. `next` is null on the last page. `seq`, `epoch`
    and `scope`: where the log ended by then, as on a page of events."""

    items: list[BroughtRow]
    next: str | None
    seq: int
    epoch: UUID
    scope: str


class UnitsToSet(Output):
    """In all rows whose `field` is `value`, the fields named in `units` become these."""

    field: str
    value: int
    units: dict[str, int | None]


class EventData(Output):
    """What happened to one row. `seq` is the place of the event in the order of all.

    `state`: what the row was by then, as far as the reader may see it now; fields of other rights are
    not there, and named in `masked`. `unit_path`: the units in which it stood by then, the highest
    first; `previous_unit_path`: those that a move has left, where the reader has both. `previous`: what
    a row said that was deleted; `merged_into`: the record that it was merged into. `effective_on`: the day from which a change of a unit holds.

    What goes with the row and has no event itself: first drop all rows of `drops`, then keep those of
    `brings`, then do as `sets` says. `export_again`: a unit has come or gone with all that stands in
    it; export again, as with another `scope`.
    """

    seq: int
    operation: EventOperation
    entity: str
    entity_id: str
    revision: int
    effective_on: date | None
    unit_path: list[int]
    previous_unit_path: list[int] | None
    state: Annotated[dict[str, Any] | None, StateOf("entity")]
    previous: Annotated[dict[str, Any] | None, StateOf("entity")]
    merged_into: UUID | None
    masked: list[str]
    drops: list[DroppedRows]
    brings: list[BroughtRow]
    sets: UnitsToSet | None
    export_again: bool


class FeedEvent(Output):
    """CloudEvents 1.0. `id` is unique within `source`, which names the installation; `type` is the
    entity and the operation (`member.updated`), `subject` the id of the row."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: EventData


class FeedPage(Output):
    """Apply the events in their order, then go on with `after` = `seq` and `epoch`: at once where
    there is `more`.

    `passed_over`: changes in the reader's units up to `seq` that are not for the reader. `scope` is a
    print of the reader's units and rights: when it is another than that of the page before, export
    again what is followed, for what came into reach has no event.
    """

    items: list[FeedEvent]
    seq: int
    epoch: UUID
    more: bool
    passed_over: int
    scope: str
