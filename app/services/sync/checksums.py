"""Sums of what a phone should keep, by kind and unit, so that it finds out where it differs.

A row counts as the first eight bytes of SHA-256 of `id:revision:masked`, its masked fields separated
by commas. The sum of all rows modulo 2^64 is the same in any order.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from sqlalchemy.engine import Connection
from sqlmodel import col

from app.clock import local_today
from app.db import one_moment
from app.models.sync.pull import Checksum, PlanQuery, SyncChecksums
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import SyncData, SyncKind
from app.services.sync import data, slices
from app.services.sync.pull import ensure_readable
from app.services.sync.scopes import Scope, hash_of
from app.services.units.units import find_filter

_MODULUS: Final = 2**64


def checksums(db: Connection, actor: Actor, query: PlanQuery) -> SyncChecksums:
    """Of the kinds and the unit asked about, else of all."""
    asked = tuple(query.kinds) or None
    ensure_readable(db, actor, asked)
    known = manifest().sync
    unit = None if query.unit is None else find_filter(db, actor, query.unit, pointer="/unit")
    scope = Scope.of(db, actor, unit)
    with one_moment(db):
        return SyncChecksums(
            items=[
                *(_of_data(db, each) for each in data.asked(asked)),
                *(
                    each
                    for kind in slices.in_order(known, known if asked is None else asked)
                    for each in _of_kind(db, actor, kind, scope)
                ),
            ]
        )


def _of_data(db: Connection, kept: SyncData) -> Checksum:
    hashes = [hash_of(f"{key}:{revision}:") for key, revision, _ in data.revised(db, kept)]
    return Checksum(
        kind=kept.name,
        unit_id=None,
        rows=len(hashes),
        checksum=f"{sum(hashes) % _MODULUS:016x}",
    )


def _of_kind(db: Connection, actor: Actor, kind: SyncKind, scope: Scope) -> list[Checksum]:
    today = local_today()
    rows = db.execute(
        slices.kept_rows(
            kind,
            actor,
            today,
            col(kind.model.id),
            col(kind.model.revision),
            slices.unit_of(kind).label("unit_id"),
        ).where(slices.concerns(kind, actor, today, scope.circle))
    ).all()
    masked = _masked(db, actor, kind, rows)
    sums: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        sums[row.unit_id] += hash_of(f"{row.id}:{row.revision}:{masked(row)}")
    counts = Counter(row.unit_id for row in rows)
    return [
        Checksum(
            kind=kind.name,
            unit_id=unit_id,
            rows=counts[unit_id],
            checksum=f"{sums[unit_id] % _MODULUS:016x}",
        )
        for unit_id in sorted(sums)
    ]


def _masked(
    db: Connection, actor: Actor, kind: SyncKind, rows: Sequence[Any]
) -> Callable[[Any], str]:
    """What is masked in each row: mostly the same in all of a unit, so one of them is asked."""
    if "masked" not in kind.schema.model_fields.keys() - kind.derived:
        return lambda _: ""
    alike = attrgetter("id" if kind.masked_by_row else "unit_id")
    one_of = {alike(row): row.id for row in rows}
    said = slices.read(db, kind, actor, [*one_of.values()])
    masked = {group: ",".join(said[key]["masked"]) for group, key in one_of.items()}
    return lambda row: masked[alike(row)]
