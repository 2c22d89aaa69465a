"""Which operations read and write an entity: found by the schemas of their requests and answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel

from app.models.base import Input
from app.models.kernel.access import Right
from app.services.kernel.manifest import Manifest

# What is the caller's own is another resource.
_OWN: Final = "/v1/me/"


@dataclass(frozen=True, slots=True)
class OperationSchemas:
    """An operation: what its requests and answers have."""

    id: str
    method: str
    path: str
    body: type[Input] | None
    answer: Any

    @property
    def item(self) -> Any:
        """What its list is of."""
        fields = getattr(self.answer, "model_fields", {})
        of = get_args(fields["items"].annotation) if "items" in fields else ()
        return of[0] if of else None


@dataclass(frozen=True, slots=True)
class EntityOperations:
    """Those of one entity. `lists`: the widest first."""

    lists: Sequence[OperationSchemas]
    details: Sequence[OperationSchemas]
    creates: Sequence[OperationSchemas]
    changes: Sequence[OperationSchemas]

    @property
    def all(self) -> Sequence[OperationSchemas]:
        return [*self.lists, *self.details, *self.creates, *self.changes]


def of_schemas(
    schemas: Sequence[type[BaseModel]], operations: Iterable[OperationSchemas]
) -> EntityOperations:
    """The operations whose answers are of these schemas, or of schemas with more fields."""

    def is_of(answer: Any) -> bool:
        if not (isinstance(answer, type) and issubclass(answer, BaseModel)):
            return False
        # A base that all answers have says nothing.
        says = "id" in answer.model_fields
        return any(
            issubclass(answer, each) or (says and issubclass(each, answer)) for each in schemas
        )

    known = [each for each in operations if not each.path.startswith(_OWN)]
    lists = [each for each in known if each.method == "GET" and is_of(each.item)]
    lists.sort(key=lambda each: (each.path.count("{"), len(each.path)))
    places = {each.path for each in lists}
    of = [each for each in known if is_of(each.answer)]
    return EntityOperations(
        lists=lists,
        details=[each for each in of if each.method == "GET"],
        creates=[
            each for each in of if each.method == "POST" and each.path in places and each.body
        ],
        changes=[each for each in of if each.method == "PATCH" and each.body],
    )


def right_of(
    manifest: Manifest, entity: str, read_right: Right, operation: OperationSchemas
) -> Right | None:
    """The right without which a writing operation is refused: as its form on phones or in lists says,
    or the one to write what is read with `read_right`."""
    if operation.method == "GET":
        return None
    by_phone = {kind.operation: kind.right for kind in manifest.operations.values()}
    found = by_phone.get(operation.id)
    if found is not None:
        return found
    listed = (kind.right for kind in manifest.import_kinds.values() if kind.entity == entity)
    resource = read_right.partition(":")[0]
    return next(listed, Right(f"{resource}:write"))
