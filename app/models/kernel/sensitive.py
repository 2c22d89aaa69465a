"""What an answer shows of a person's sensitive data, declared on its schema.

A schema declares whose data its rows are: `about = About("member")`. A field declares the right
that guards its value: `Annotated[str | None, Sensitive(Right.members_phone)]`. So every answer that
shows it is noted in the access log (services/kernel/shown.py), without a line in the endpoint.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.models.kernel.access import Right
from app.models.kernel.access_log import ReadHow

# The rights to sensitive data, and the name by which the access log calls what each guards; None:
# by the name of the field.
SENSITIVE_RIGHTS: Mapping[Right, str | None] = {
    Right.members_phone: "phone",
    Right.members_citizen_id: None,
    Right.members_ethnicity: "ethnicity",
    Right.members_religion: "religion",
    Right.members_party: None,
    Right.poverty_read: "poverty",
    Right.support_read: "poverty",
    Right.support_children: "poverty",
}

# What the access log calls the bytes of a picture of somebody, which no right of its own guards.
PHOTO: Final = "photo"


@dataclass(frozen=True, slots=True)
class About:
    """Whose data a row is: the members or households whose ids are in these fields.

    `entity` is the name of the change log; None: the row's own `entity` field holds it. `row`: what
    a row reveals whichever of its fields are shown, by the right that guards it. `how`: how it is
    read, where that is not a detail, a list or a file.
    """

    entity: str | None
    ids: tuple[str, ...] = ("id",)
    row: Right | None = None
    how: ReadHow | None = None


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A value that is sensitive unless it is null, guarded by a right."""

    right: Right


@dataclass(frozen=True, slots=True)
class SensitiveIf:
    """A value that may reveal something sensitive: `tells` returns the names of what it reveals."""

    tells: Callable[[Any], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Logged:
    """Values of columns of an entity of the change log: those are sensitive that are masked there.

    `entity` None: the one named by the row, in its field `named`. `pairs`: the columns and values in the field's value.
    """

    entity: str | None = None
    named: str = "entity"
    pairs: Callable[[Any], Iterable[tuple[str, Any]]] = lambda values: values.items()


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows as they are stored in the table that another field of the schema names."""

    table: str


@dataclass(frozen=True, slots=True)
class RowOfKind:
    """A row that phones keep, of the kind that another field of the schema names."""

    kind: str


@dataclass(frozen=True, slots=True)
class StateOf:
    """What followers are shown of a row, of the entity that another field of the schema names."""

    entity: str


@dataclass(frozen=True, slots=True)
class FreeForm:
    """JSON without a schema: every object with a `household_id` reveals the poverty of that
    household.
    """
