"""What a phone asks for and gets: the plan, and pages of changes."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BeforeValidator, Field

from app.models.base import Name, Output, Parameters, UnitId
from app.models.kernel.following import separated
from app.models.kernel.sensitive import RowOfKind
from app.models.kernel.units import UnitRef

MOST_BYTES: Final = 8_000_000
LEAST_BYTES: Final = 10_000


class SyncKindName(Name):
    """A kind of rows that phones keep."""


class SyncOp(StrEnum):
    """What to do with a row.

    `upsert`: keep it as it is here, whether it is new or not. `entered_scope`: the same; it is older
    than the cursor, and has come into the units or rights of the account. `left_scope`: drop it; it
    exists, and is no longer for this phone. `delete`: drop it; it is gone for everybody.
    """

    upsert = "upsert"
    entered_scope = "entered_scope"
    left_scope = "left_scope"
    delete = "delete"


class SyncDialect(StrEnum):
    """What a page is written for, other than an app of its own: `watermelon` is WatermelonDB."""

    watermelon = "watermelon"


class ColumnType(StrEnum):
    """Of a column as WatermelonDB has them."""

    string = "string"
    number = "number"
    boolean = "boolean"


class PlanQuery(Parameters):
    kinds: Annotated[list[SyncKindName], BeforeValidator(separated)] = Field(
        default_factory=list, description="Only these kinds, separated by commas; else all."
    )
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class SyncQuery(PlanQuery):
    """Without `cursor` from the beginning. `kinds` and `unit` belong to the first page: the cursor
    knows them, and others beside it are refused."""

    cursor: Annotated[str, Field(max_length=20_000)] | None = Field(
        default=None, description="The `cursor` of the page before."
    )
    max_bytes: Annotated[int, Field(ge=LEAST_BYTES, le=MOST_BYTES)] = Field(
        default=1_000_000,
        description="About the size of the page before it is compressed. One change with all it"
        " brings is never divided.",
    )
    dialect: SyncDialect | None = Field(
        default=None,
        description="`watermelon`: the page has `changes` and a `timestamp` in place of items.",
    )


class PlannedKind(Output):
    """`rows` that the phone will keep, and about how many `bytes` they are before compression;
    `parents` come before it, by the field that names their row. `since`: rows of days before it are
    not kept. `columns`: of its table in WatermelonDB, beside `id`; each of them is optional."""

    kind: str
    rows: int
    bytes: int
    parents: dict[str, str]
    since: date | None
    fields: list[str]
    columns: dict[str, ColumnType]


class PlannedUnit(UnitRef):
    """`depth`: how many levels of units there are below it."""

    depth: int


class SyncPlan(Output):
    """`schema_version` changes when kinds or their fields do."""

    schema_version: str
    units: list[PlannedUnit]
    kinds: list[PlannedKind]
    rows: int
    bytes: int


class SyncItem(Output):
    """One row; data of the release is named by a text. `row` is null where it is to be dropped, and so are `revision` and `unit_id`, the
    closest unit it stands in."""

    op: SyncOp
    kind: str
    id: UUID | int | str
    revision: int | None
    unit_id: int | None
    row: Annotated[dict[str, Any] | None, RowOfKind("kind")]


class TableChanges(Output):
    """Rows of one table for WatermelonDB, flat: lists and objects are JSON in a text. An id is there
    once. `created` is empty: what is new to the phone is `updated`, too (`sendCreatedAsUpdated`)."""

    created: list[dict[str, Any]]
    updated: list[dict[str, Any]]
    deleted: list[str]


class SyncPage(Output):
    """Apply the items in their order. `checkpoint`: with this page the phone has all there is, so
    what it has agrees in itself; until then ask on at once with `cursor`.

    With `dialect=watermelon` there are no items; `changes` are the same by kind, and `timestamp` is the
    number of the change that the cursor has come to. Otherwise both are null."""

    items: list[SyncItem]
    cursor: str
    checkpoint: bool
    changes: dict[str, TableChanges] | None
    timestamp: int | None


class Checksum(Output):
    """Of the rows of a kind in one unit: the sum modulo 2^64 of the first eight bytes of SHA-256 of
    `id:revision:masked` of each (its masked fields separated by commas), as 16 hexadecimal digits."""

    kind: str
    unit_id: int | None
    rows: int
    checksum: str


class SyncChecksums(Output):
    """A unit without rows of a kind is not there."""

    items: list[Checksum]
