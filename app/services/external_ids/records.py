"""Which record an external identifier is of: looked up, entered and taken back by the set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect, chunks, insert_many, settings_of, vault_of
from app.errors import Problem, invalid
from app.models.base import new_id
from app.models.external_ids.external_ids import (
    HouseholdExternalId,
    MemberExternalId,
    UnitExternalId,
)
from app.models.households.households import Household
from app.models.kernel.external_ids import is_citizen_id, systems_of
from app.models.kernel.units import IdentifierScheme, Unit, UnitIdentifier
from app.models.members.members import Member
from app.problem_texts import FieldCode
from app.services.kernel import changes
from app.services.kernel.access import Db
from app.services.kernel.external_ids import key_of, records_of


@dataclass(frozen=True, slots=True)
class Owned:
    """The identifiers of one kind of record: their table, and the table of the records."""

    entity: str
    model: Any
    record: Any

    @property
    def column(self) -> str:
        return f"{self.entity}_id"

    @property
    def of(self) -> Any:
        return col(getattr(self.model, self.column))


OWNED: Final[Mapping[str, Owned]] = {
    each.entity: each
    for each in (
        Owned("member", MemberExternalId, Member),
        Owned("household", HouseholdExternalId, Household),
        Owned("unit", UnitExternalId, Unit),
    )
}


_PATH: Final = ("province_id", "commune_id", "branch_id")


@dataclass(frozen=True, slots=True)
class Naming:
    """A record gets an identifier; `ref` is where it comes from, for the change log."""

    record_id: Any
    external_id: str
    ref: str | None = None


def resealed(session: Session, row_id: UUID, opened: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an identifier is found by follows the key that it is sealed with."""
    for owned in OWNED.values():
        statement = sa.select(col(owned.model.system)).where(col(owned.model.id) == row_id)
        system = session.execute(statement).scalar_one_or_none()
        if system is not None:
            return {"key": key_of(vault_of(session), f"{system}|{opened['value']}")}
    return {}


def find(db: Db, entity: str, external_ids: Iterable[str]) -> dict[str, Any]:
    """The records that these identifiers are valid for, in scope or not: also of who was erased."""
    owned = OWNED[entity]
    return records_of(db, owned.model, owned.column, external_ids, erased=True)


def objection(db: Db, external_id: str, province_id: int | None = None) -> FieldCode | None:
    """Why this cannot be an identifier here; None if it can."""
    system, _, value = external_id.partition("|")
    known = systems_of(settings_of(db).external_systems_file).get(system)
    if known is None:
        return "external_system_unknown"
    if is_citizen_id(value):
        return "external_id_is_citizen_id"
    if known.provinces and province_id is not None:
        code = _code_of(db, province_id)
        return None if code in known.provinces else "external_system_elsewhere"
    return None


def _code_of(db: Db, province_id: int) -> str | None:
    statement = sa.select(col(UnitIdentifier.value)).where(
        col(UnitIdentifier.unit_id) == province_id,
        col(UnitIdentifier.scheme) == IdentifierScheme.gso,
        col(UnitIdentifier.valid_to).is_(None),
    )
    return db.execute(statement).scalars().first()


def ensure_right(db: Db, external_id: str, province_id: int | None) -> None:
    """422 for what `objection` finds."""
    code: FieldCode | None = objection(db, external_id, province_id)
    if code is not None:
        raise invalid(code, "/value" if code == "external_id_is_citizen_id" else "/system")


def name_many(
    session: Session,
    entity: str,
    namings: Sequence[Naming],
    import_id: UUID | None = None,
    valid_from: date | None = None,
) -> None:
    """Enter identifiers of records that the caller holds. One that is valid already is left as it is;
    409 for one of another record."""
    owned, vault, now = OWNED[entity], vault_of(session), utc_now()
    known = find(session, entity, [each.external_id for each in namings])
    new = [each for each in namings if known.get(each.external_id) is None]
    if any(known.get(e.external_id, e.record_id) != e.record_id for e in namings):
        raise Problem("external_id_taken")
    paths = _paths(session, owned, [each.record_id for each in new])
    rows = []
    for each in new:
        system, _, value = each.external_id.partition("|")
        rows.append(
            {
                "id": new_id(),
                owned.column: each.record_id,
                **(
                    {}
                    if entity == "unit"
                    else {"province_id": paths[each.record_id]["province_id"]}
                ),
                "system": system,
                "value": value,
                "key": key_of(vault, each.external_id),
                "valid_from": valid_from or local_today(),
                "valid_to": None,
                "import_id": import_id,
                "revision": 1,
                "created_at": now,
                "updated_at": now,
            }
        )
    insert_many(session, owned.model, rows)
    session.info[f"{entity}_paths"] = paths  # the log asks for the units of each
    changes.record_created(session, owned.model, rows, [e.ref for e in new if e.ref is not None])
    session.info.pop(f"{entity}_paths", None)


def _paths(db: Db, owned: Owned, record_ids: Sequence[Any]) -> dict[Any, dict[str, Any]]:
    """Where the records stand: province, commune and branch."""
    record = owned.record
    found: dict[Any, dict[str, Any]] = {}
    for chunk in chunks(record_ids):
        statement: AnySelect = sa.select(*(getattr(record, name) for name in ("id", *_PATH))).where(
            col(record.id).in_(chunk)
        )
        found |= {
            row.id: {name: getattr(row, name) for name in _PATH} for row in db.execute(statement)
        }
    return found


def take_back(
    session: Session,
    entity: str,
    import_id: UUID,
    whole: Iterable[UUID] = (),
    besides: Iterable[UUID] = (),
) -> None:
    """Delete what an import entered, but for the records `besides`; of records that it made, and that go
    themselves, the `whole`: all of them. The change log keeps what they were."""
    owned = OWNED.get(entity)
    if owned is None:
        return
    model = owned.model
    left = set(besides)
    mine = sa.select(*(getattr(model, name) for name in model.model_fields))
    rows: dict[UUID, dict[str, Any]] = {}
    for chunk in chunks(sorted(whole)):
        found = session.execute(mine.where(owned.of.in_(chunk)).order_by(col(model.id)))
        rows |= {row.id: row._asdict() for row in found}
    if not rows:
        found = session.execute(mine.where(col(model.import_id) == import_id))
        rows = {row.id: row._asdict() for row in found if row._mapping[owned.column] not in left}
    changes.record_deleted(session, model, list(rows.values()))
    for chunk in chunks(sorted(rows)):
        session.execute(sa.delete(model).where(col(model.id).in_(chunk)))
