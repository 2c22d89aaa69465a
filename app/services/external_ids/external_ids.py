"""External identifiers of one record: listed, entered, ended."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect, vault_of
from app.errors import Problem, invalid, not_found
from app.models.external_ids.external_ids import ExternalIdCreate, ExternalIdQuery
from app.models.kernel.access import Right
from app.models.kernel.external_ids import parts
from app.services.external_ids import records
from app.services.external_ids.records import OWNED, Owned
from app.services.households import households
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.created_once import refused_by
from app.services.kernel.external_ids import key_of
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.members import persons
from app.services.units import units
from app.services.units.rows import find as find_unit_row

_READ = {
    "member": Right.members_read,
    "household": Right.members_read,
    "unit": Right.units_read,
}
_WRITE = {
    "member": Right.members_write,
    "household": Right.members_write,
    "unit": Right.units_write,
}


def list_of(db: Db, actor: Actor, query: ExternalIdQuery) -> Pages:
    """Those of one record, in the order they were entered; 404 where the record is out of scope."""
    asked = {name: getattr(query, name) for name in OWNED if getattr(query, name) is not None}
    if len(asked) != 1:
        raise invalid("external_id_of_one", "/member", place="query")
    [(entity, record_id)] = asked.items()
    _access(db, actor, entity, record_id, _READ[entity])
    owned = OWNED[entity]
    statement = _columns(owned).where(owned.of == record_id, col(owned.model.value).is_not(None))
    return pages(statement, Order(col(owned.model.id)), each(partial(read, owned)))


def _columns(owned: Owned) -> AnySelect:
    model = owned.model
    return sa.select(*(getattr(model, name) for name in model.model_fields))


def read(owned: Owned, row: Any) -> dict[str, Any]:
    """As ExternalIdRead."""
    owners = {each.column: None for each in OWNED.values()}
    shown = ("id", "system", "value", "valid_from", "valid_to", "revision")
    return {
        **owners,
        owned.column: getattr(row, owned.column),
        "external_id": f"{row.system}|{row.value}",
        **{name: getattr(row, name) for name in shown},
    }


def _access(db: Db, actor: Actor, entity: str, record_id: Any, right: Right) -> Any:
    if entity == "member":
        return persons.access_member(db, actor, record_id, right)
    if entity == "household":
        return households.access(db, actor, record_id, right)
    if isinstance(db, Session):
        return units.access_unit(db, actor, record_id, right)
    unit = find_unit_row(db, record_id)
    if unit is None or not actor.covers(right, unit):
        require_somewhere(db, actor, right)
        raise not_found()
    return unit


def create(session: Session, actor: Actor, body: ExternalIdCreate) -> tuple[dict[str, Any], bool]:
    """Enter an identifier; whether it is new. 409 where it is valid for another record."""
    [(entity, record_id)] = (
        (name, value)
        for name, owned in OWNED.items()
        if (value := getattr(body, owned.column)) is not None
    )
    record = _access(session, actor, entity, record_id, _WRITE[entity])
    found = parts(f"{body.system}|{body.value}")
    if found is None:
        raise invalid("external_id_form", "/value")
    external_id = "|".join(found)
    records.ensure_right(session, external_id, record.province_id)
    known = records.find(session, entity, [external_id])
    if known and known[external_id] != record_id:
        raise Problem("external_id_taken")
    owned = OWNED[entity]
    if known:
        key = key_of(vault_of(session), external_id)
        valid = _columns(owned).where(
            col(owned.model.key) == key, col(owned.model.valid_to).is_(None)
        )
        return read(owned, session.execute(valid).one()), False
    now = utc_now()
    province = {} if entity == "unit" else {"province_id": record.province_id}
    made = owned.model(
        **{owned.column: record_id},
        **province,
        system=found[0],
        value=found[1],
        key=key_of(vault_of(session), external_id),
        valid_from=body.valid_from or local_today(),
        created_at=now,
        updated_at=now,
    )
    if refused_by(session, [made], {f"uq_{entity}_external_id_valid"}) is not None:
        raise Problem("external_id_taken")
    return read(owned, made), True


def end(session: Session, actor: Actor, external_id: UUID) -> None:
    """It is valid no longer, from today on; one that ended before is left as it is."""
    for entity, owned in OWNED.items():
        row = session.get(owned.model, external_id, with_for_update=True)
        if row is not None:
            _access(session, actor, entity, getattr(row, owned.column), _WRITE[entity])
            if row.valid_to is None:
                row.valid_to = max(row.valid_from, local_today() - timedelta(days=1))
                session.flush()
            return
    require_somewhere(session, actor, Right.members_read)
    raise not_found()
