"""What a phone writes while it is offline: kinds of operations, parts of the manifest.

An operation of a kind is done by the service of an operation of the API, with the same body: no rule
is written a second time. It is sent later (`POST /v1/sync/operations`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlmodel import Session

from app.errors import FieldError
from app.models.base import Input
from app.models.kernel.access import Right
from app.services.kernel.access import Actor, Db, Expected
from app.services.kernel.device_clocks import Noted

BodyT = TypeVar("BodyT", bound=Input)


@dataclass(frozen=True, slots=True)
class OperationDone:
    """What an operation has done. `warnings`: what looks wrong and is stored all the same. `waits`: it
    is kept, and takes effect once what it is about is known here."""

    warnings: Sequence[FieldError] = ()
    waits: bool = False


@dataclass(frozen=True, slots=True)
class SentOperation(Generic[BodyT]):
    """An operation that is to be done: by whom, on the record of this id. `noted`: when, by which clock.
    `expected`: the revisions that the record may have."""

    session: Session
    actor: Actor
    record_id: UUID
    body: BodyT
    noted: Noted
    expected: Expected


def without_parent(schema: type[BodyT], body: BodyT) -> BodyT:
    """The body of the API's operation, of one that names the parent too: there the address does."""
    shared = schema.model_fields
    given = {name: getattr(body, name) for name in shared}
    return schema.model_construct(body.model_fields_set & shared.keys(), **given)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationKind:
    """One kind of operation.

    `operation`: the id of the API's operation that does the same. `right`: who holds it over the unit
    may decide on what waits; None where it is about the sender herself, and nobody else sends it.
    `body`: the schema of its `patch`. `apply` does it, and raises the `Problem` of the API. `entity`: the
    kind of record it is about, as the change log calls it, found by `subject` of the id and the body.

    `found`: the record where the operation names it by something else, as the minutes of a session;
    None where there is none yet and the operation makes it. Its `base_rev` is null then.

    `values_of`: the kind of record whose columns the patch has, where that is another one.

    `merges`: it changes fields of a record that others change too: it is compared with their changes.
    `whole`: all its fields are one answer; where others have given another one meanwhile it is refused.
    `states_fact`: it says what happened, so that it is taken from who has lost the unit since.
    `kept`: the record that an id of a record merged away is now.
    `since`: the field that says from which day it holds, "today" where it is left out: of an operation
    that is the day it was noted, and not the day it came.
    """

    name: str
    operation: str
    right: Right | None
    entity: str
    body: type[Input]
    apply: Callable[[SentOperation[Any]], OperationDone]
    values_of: str | None = None
    subject: Callable[[UUID, Any], UUID] = field(default=lambda record_id, _: record_id)
    found: Callable[[Db, Actor, UUID, Any], UUID | None] | None = None
    merges: bool = False
    whole: bool = False
    states_fact: bool = False
    kept: Callable[[Db, UUID], UUID | None] | None = None
    since: str | None = None
