"""What the API says of its kinds of records and of their fields."""

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.models.base import Output
from app.models.kernel.access import Right


class FieldType(StrEnum):
    """Types of JSON; of text that has a form, the form."""

    string = "string"
    date = "date"
    instant = "date-time"
    uuid = "uuid"
    email = "email"
    uri = "uri"
    binary = "binary"
    integer = "integer"
    number = "number"
    boolean = "boolean"
    array = "array"
    object = "object"
    any = "any"


class WhenWritten(StrEnum):
    """Whether a request has the field. `optional`: it may be left out. `never`: it is not in it."""

    required = "required"
    optional = "optional"
    never = "never"


class FieldMeta(Output):
    """One field. `codes`: all that it may hold; `code_list`: where their names are. Lengths are in
    characters, of arrays in items; `minimum` and `maximum` are inclusive.

    `create` and `change`: whether requests that make or change a record have it; it is read only where
    both say `never`, and not in answers where it is not `shown`. `export` and `feed`: rows of these have
    it. `shown_by`: the right without which it is null, and named in `masked`; without one whoever reads
    the record sees it. `changed_by`: all the rights that a change of it needs.
    """

    name: str
    title_vi: str
    title_en: str
    type: FieldType
    items: FieldType | None
    nullable: bool
    codes: list[str] | None
    code_list: str | None
    min_length: int | None
    max_length: int | None
    minimum: float | None
    maximum: float | None
    pattern: str | None
    description: str | None
    shown: bool
    read_only: bool
    create: WhenWritten
    change: WhenWritten
    export: bool
    feed: bool
    shown_by: Right | None
    changed_by: list[Right]


class EntityKinds(Output):
    """The kinds by which an entity is asked for: of the feed, of exports and of phones, and of lists that
    are imported, from files or line by line (`/v1/bulk`). null where it is not among them."""

    feed: str | None
    export: str | None
    imports: str | None


class EntityOperation(Output):
    """An operation of the contract. `right`: without which it is a 403, where it writes."""

    id: str
    method: str
    path: str
    right: Right | None


class EntityItem(Output):
    """A kind of records, by its name in the change log. `right`: without it there are none to read."""

    name: str
    title_vi: str
    title_en: str
    link: str
    right: Right
    kinds: EntityKinds


class EntityMeta(EntityItem):
    """A kind of records with its fields, as requests and answers have them. `example`: a command for a
    shell with BASE, the address of the server, and TOKEN."""

    operations: list[EntityOperation]
    fields: list[FieldMeta]
    example: str


class CodeListItem(Output):
    """A list of codes. `link`: where it is read; `crosswalk`: what its codes were before."""

    name: str
    version: str | None
    valid_from: date | None
    valid_to: date | None
    source: str | None
    link: str
    crosswalk: str | None


class MetaLimits(Output):
    """`list_page`, `feed_page`: items a page at most. `body_bytes`: of a request. `import_bytes`: of a
    file. `export_kinds`: kinds in one export. `wait_seconds`: of `Prefer: wait`."""

    list_page: int
    feed_page: int
    body_bytes: int
    import_bytes: int
    export_kinds: int
    wait_seconds: int


class MetaFormats(Output):
    """The formats of lists and of exports."""

    lists: list[str]
    exports: list[str]


class MetaRead(Output):
    """What there is. `epoch`: the run of numbers of the change log; another one after a restore."""

    version: str
    epoch: UUID
    languages: list[str]
    formats: MetaFormats
    limits: MetaLimits
    entities: list[EntityItem]
    code_lists: list[CodeListItem]


# A JSON schema, or a part of it.
JsonSchema = dict[str, Any]
