"""What a phone is about to load: units, kinds, rows and bytes."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.models.kernel.units import Unit, UnitClosure
from app.models.sync.pull import PlannedKind, PlannedUnit, PlanQuery, SyncPlan
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import SyncData, SyncKind
from app.services.sync import data, slices
from app.services.sync.pull import ensure_readable
from app.services.sync.scopes import Scope, hash_of, versions
from app.services.sync.watermelon import columns_of
from app.services.units.units import find_filter

# The bytes of a kind are estimated by so many of its rows.
_SAMPLE: Final = 20


def plan(db: Connection, actor: Actor, query: PlanQuery) -> SyncPlan:
    """Counts what the phone will keep: no restricted record, nothing that the actor may not read."""
    asked = tuple(query.kinds) or None
    ensure_readable(db, actor, asked)
    known = manifest().sync
    kinds = list(slices.in_order(known, known if asked is None else asked))
    unit = None if query.unit is None else find_filter(db, actor, query.unit, pointer="/unit")
    scope = Scope.of(db, actor, unit)
    lists = data.asked(asked)
    planned = [_of_data(db, each) for each in lists]
    planned += [_planned(db, actor, kind, scope) for kind in kinds]
    return SyncPlan(
        schema_version=f"{hash_of(repr(sorted(versions([*lists, *kinds]).items()))):016x}",
        units=_units(db, scope),
        kinds=planned,
        rows=sum(each.rows for each in planned),
        bytes=sum(each.bytes for each in planned),
    )


def _of_data(db: Connection, kept: SyncData) -> PlannedKind:
    items = data.items(db, kept)
    return _described(kept, len(items), sum(len(orjson.dumps(item.row)) for item in items))


def _planned(db: Connection, actor: Actor, kind: SyncKind, scope: Scope) -> PlannedKind:
    today = local_today()
    here = slices.concerns(kind, actor, today, scope.circle)
    kept = slices.kept_rows(kind, actor, today, col(kind.model.id)).where(here)
    count = sa.select(sa.func.count()).select_from(kept.subquery())
    rows = db.execute(count).scalar_one()
    sample = db.execute(kept.limit(_SAMPLE)).scalars().all()
    texts = [len(orjson.dumps(row)) for row in slices.read(db, kind, actor, sample).values()]
    bytes_ = rows * sum(texts) // len(texts) if texts else 0
    since = slices.first_day(kind, today)
    return _described(kind, rows, bytes_, parents=dict(kind.parents), since=since)


def _described(
    kind: SyncKind | SyncData,
    rows: int,
    bytes_: int,
    *,
    parents: Mapping[str, str] = MappingProxyType({}),
    since: date | None = None,
) -> PlannedKind:
    return PlannedKind(
        kind=kind.name,
        rows=rows,
        bytes=bytes_,
        parents=dict(parents),
        since=since,
        fields=sorted(kind.schema.model_fields.keys() - kind.derived),
        columns={**columns_of(kind.name)},
    )


def _units(db: Connection, scope: Scope) -> list[PlannedUnit]:
    """The units of the scope, each with the number of levels below it."""
    depths = (
        sa.select(
            col(Unit.id), col(Unit.level), col(Unit.name), sa.func.max(col(UnitClosure.depth))
        )
        .join(UnitClosure, col(UnitClosure.ancestor_id) == col(Unit.id))
        .where(
            col(Unit.id).in_([reach.unit_id for reach in scope.reaches]),
            col(UnitClosure.valid_to).is_(None),
        )
        .group_by(col(Unit.id), col(Unit.level), col(Unit.name))
        .order_by(col(Unit.id))
    )
    return [
        PlannedUnit(id=id_, level=level, name=name, depth=depth)
        for id_, level, name, depth in db.execute(depths)
    ]
