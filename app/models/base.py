"""What every table and schema shares: constraint names, ids, enums, the two schema bases."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID, SafeUUID

import sqlalchemy as sa
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticKnownError, core_schema
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import Dialect
from sqlmodel import SQLModel
from uuid_utils.compat import uuid7

from app.problem_texts import HintCode

# Tables hold what the rules have made of a request: nothing is validated by their schema.
SQLModel.model_config["defer_build"] = True
# Stable names: errors are mapped by constraint name, migrations refer to them.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


_new, _set, _number = object.__new__, object.__setattr__, int.from_bytes
_UNKNOWN = SafeUUID.unknown


def _uuid_of_bytes(value: bytes | None) -> UUID | None:
    """The id stored in 16 bytes, as `UUID(bytes=...)` makes it but without its checks of arguments:
    a list reads more than a hundred (docs/decisions/0005)."""
    if value is None:
        return None
    found = _new(UUID)
    _set(found, "int", _number(value))
    _set(found, "is_safe", _UNKNOWN)
    return found


class Uuid(sa.types.TypeDecorator[UUID]):
    """`uuid` on PostgreSQL, 16 bytes on SQLite (SQLAlchemy's own default there takes 32)."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary(16))
        return dialect.type_descriptor(sa.Uuid(as_uuid=True))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # psycopg gives UUIDs already: a call a value would be for nothing.
        return _uuid_of_bytes if dialect.name == "sqlite" else None


class Sealed(sa.types.TypeDecorator[str]):
    """Text that is encrypted at rest; in Python it is plain. Good for `=` and nothing else.

    `field` names what it is, so that no value can be passed off as that of another field.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        keeper: Any = dialect  # of the vault: db.keep_vault
        sealed: str | None = value and keeper.vault.seal(value, self.field)
        return sealed

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # At once, and not through `process_result_value`: a list opens a hundred of them.
        keeper: Any = dialect
        open_, field = keeper.vault.open, self.field
        return lambda value: value and open_(value, field)


def table_of(model: type[SQLModel]) -> sa.Table:
    """The table behind a model: SQLModel has it, and hides it from the type checker."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def sealed_fields(model: type[SQLModel]) -> dict[str, str]:
    """The columns of a table that are encrypted, with the field each is sealed for."""
    columns = table_of(model).columns
    return {c.name: c.type.field for c in columns if isinstance(c.type, Sealed)}


class Name(str):
    """A name defined by a capability: of an entity, or of a kind of job.

    The set of names is known once the capabilities are installed. A request with another is refused
    as one with an unknown value of an enum is, and the contract lists them.
    """

    known: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> Self:
        """The name, where it is one of those known."""
        if not isinstance(value, str) or value not in cls.known:
            *first, last = (f"'{name}'" for name in cls.known)
            expected = f"{', '.join(first)} or {last}"
            raise PydanticKnownError("enum", {"expected": expected})
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.of, ref=f"{cls.__module__}.{cls.__qualname__}"
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: object) -> dict[str, Any]:
        return {"type": "string", "enum": [*cls.known], "title": cls.__name__}


def uuid8(data: bytes) -> UUID:
    """An id of our own making (UUIDv8, RFC 9562) from 16 bytes, of which six bits are not kept."""
    number = int.from_bytes(data) & ~(0xF << 76) | 8 << 76
    return UUID(int=number & ~(3 << 62) | 2 << 62)


def new_id() -> UUID:
    """UUIDv7 (RFC 9562): made by the app, ordered by time, unique without asking anyone."""
    return uuid7()


def first_id(instant: datetime) -> UUID:
    """No id made at the instant or later comes before this one."""
    return UUID(int=max(0, int(instant.timestamp() * 1000)) << 80)


def str_enum(enum: type[StrEnum]) -> Any:
    """VARCHAR holding the enum's *values*: a new value needs no migration."""
    return sa.Enum(
        enum,
        native_enum=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


# Text that is compared as bytes on both databases (SQLite compares bytes by default).
key_text: Any = sa.String().with_variant(sa.String(collation="C"), "postgresql")
json_type: Any = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


# What ends a line (Unicode, line boundaries); splitlines() knows others besides, which are controls.
_LINE_BREAKS = frozenset("\n\r\v\f\x85\u2028\u2029")


def _no_line_break(value: str) -> str:
    if not _LINE_BREAKS.isdisjoint(value):
        raise ValueError("line_break")
    return value


def _no_control_character(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f-\x9f]", value):  # General_Category Cc
        raise ValueError("control_character")
    return value


def _none_but_breaks(value: str) -> str:
    _no_control_character(value.translate(_BREAKS_AND_TABS))
    return value


_BREAKS_AND_TABS = dict.fromkeys(map(ord, "\n\r\t"))


def line(max_length: int, min_length: int = 1) -> Any:
    """The constraints of one trimmed line of text, to be put in `Annotated[str, *line(80)]`."""
    return (
        StringConstraints(strip_whitespace=True, min_length=min_length, max_length=max_length),
        AfterValidator(_no_line_break),
        AfterValidator(_no_control_character),
    )


@dataclass(frozen=True, slots=True)
class SeveralLines:
    """Says of a text that it may have line breaks."""


def lines(max_length: int) -> Any:
    """The constraints of a trimmed text of one or several lines: `Annotated[str, *lines(500)]`."""
    return (
        StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length),
        AfterValidator(_none_but_breaks),
        SeveralLines(),
    )


class Input(BaseModel):
    """What a client sends: unknown fields are errors, so a typo is never silently ignored.

    `elsewhere`: fields of the resource that are changed by another request; the hint of each names
    that request.
    """

    elsewhere: ClassVar[Mapping[str, HintCode]] = {}

    model_config = ConfigDict(extra="forbid", defer_build=True)


class Output(BaseModel):
    """What a client gets: no defaults, so generated clients see what is always there."""

    model_config = ConfigDict(from_attributes=True, defer_build=True)


def _iso_day(value: object) -> object:
    """pydantic would also take seconds since 1970, and a datetime at midnight, for a day."""
    if isinstance(value, int | float) or (isinstance(value, str) and not _DAY.fullmatch(value)):
        raise ValueError("date_invalid")
    return value


def _in_our_time(value: date) -> date:
    """The union was founded in 1930; and the day before a day, and the day after it, must exist."""
    if value.year < FIRST_YEAR:
        raise ValueError("date_too_early")
    if value.year > LAST_YEAR:
        raise ValueError("date_too_late")
    return value


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIRST_YEAR, LAST_YEAR = 1900, 2999
# A date in a request: YYYY-MM-DD and nothing else, of a year in which something can be recorded.
Day = Annotated[date, BeforeValidator(_iso_day), AfterValidator(_in_our_time)]


def _instant(value: object) -> object:
    """RFC 3339 with its offset: a time without one means another moment on each phone."""
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00Z"):
        raise ValueError("instant_invalid")
    try:
        moment = datetime.fromisoformat(value)
        moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise ValueError("instant_invalid") from error
    if moment.tzinfo is None:
        raise ValueError("instant_invalid")
    return moment


def _whole_seconds(value: datetime) -> datetime:
    if not 2000 <= value.year < 2100:
        raise ValueError("instant_out_of_range")
    return value.replace(microsecond=0)


def _of_a_device(value: datetime) -> datetime:
    """A phone whose battery was empty thinks it is 1970; what it captured counts all the same."""
    if not 1900 <= value.year < 2200:
        raise ValueError("instant_out_of_range")
    return value.replace(microsecond=0)


DeviceInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    AfterValidator(_of_a_device),
    Field(examples=["2026-11-21T19:30:00+07:00"]),
]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    AfterValidator(_whole_seconds),
    Field(examples=["2026-11-21T19:30:00+07:00"]),
]


def _no_truth(value: object) -> object:
    """pydantic would take `true` for unit 1."""
    if isinstance(value, bool):
        raise ValueError("wrong_type")
    return value


@dataclass(frozen=True, slots=True)
class Names:
    """Says of an id in a request what it names (services/kernel/named.py).

    `anywhere`: it may be out of the actor's scope. `of_parent`: it is one of those that belong to
    the record in the address, and is looked for among them alone.
    """

    kind: str
    anywhere: bool = False
    of_parent: bool = False


# A 4-byte integer on PostgreSQL: a larger number would be a 500, not a 404.
_UnitNumber = Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(_no_truth)]
UnitId = Annotated[_UnitNumber, Names("unit")]
AnyUnitId = Annotated[_UnitNumber, Names("unit", anywhere=True)]
MemberId = Annotated[UUID, Names("member")]
HouseholdId = Annotated[UUID, Names("household")]
PersonId = Annotated[UUID, Names("person")]
OwnBranch = Annotated[
    UnitId | None,
    Field(description="May be left out by whoever has this right in one branch only."),
]


class Parameters(Input):
    """The query of an operation: frozen, so that one serves all requests without a query."""

    model_config = ConfigDict(frozen=True)


class Fields(Parameters):
    """`fields` trims the answer to the named fields, comma-separated."""

    fields: Annotated[str, Field(max_length=500)] | None = Field(
        default=None, description="Only these fields of each item, separated by commas."
    )


class ListFormat(StrEnum):
    json = "json"
    csv = "csv"
    xlsx = "xlsx"
    ndjson = "ndjson"


class Headings(StrEnum):
    vi = "vi"
    api = "api"


class Filed(Parameters):
    """What can be a file. `format`: as `Accept` chooses it, for links and browsers."""

    format: ListFormat | None = Field(
        default=None,
        description="The whole list as a file, for links and browsers; by default as `Accept` says.",
    )
    headings: Headings = Field(
        default=Headings.vi,
        description="Of csv and xlsx: `vi` for people, with the names of units beside their ids;"
        " `api` for programs, the names of the fields. ndjson always has those.",
    )


class ListQuery(Filed, Fields):
    """Parameters of every list."""

    limit: Annotated[int, Field(ge=1, le=200)] = Field(default=50, description="Items a page.")
    cursor: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="Where the next page begins: `next_cursor` of the page before."
    )


class Page(Output):
    """One page of a list; `next_cursor` is null on the last one."""

    next_cursor: str | None


class Revised(SQLModel):
    """Columns of every entity the change log tracks. `revision` starts at 1, +1 a change."""

    revision: int = 1
    created_at: datetime
    updated_at: datetime
