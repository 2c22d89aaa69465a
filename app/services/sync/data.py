"""Data of a release that phones keep: the same for everybody, and no change of it is in the log.

The cursor has a print of what the phone has, so another release's comes anew, as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from app.services.kernel.manifest import manifest
from app.services.kernel.offers import SyncData
from app.services.sync.pages import Item, released
from app.services.sync.scopes import hash_of

_MOST_REVISIONS = 2**31


def asked(names: Sequence[str] | None) -> list[SyncData]:
    """Those of these kinds that are data; of all, where none are named."""
    return [each for name, each in manifest().sync_data.items() if names is None or name in names]


def items(db: Connection, data: SyncData) -> list[Item]:
    """All its rows. What a row says is its revision: there is no other number of its edition."""
    return [released(data, key, revision, row) for key, revision, row in revised(db, data)]


def revised(db: Connection, data: SyncData) -> Iterable[tuple[str, int, Mapping[str, Any]]]:
    """Its rows by their keys, each with its revision."""
    for whole in data.rows(db):
        row = {name: value for name, value in whole.items() if name not in data.derived}
        yield row[data.key], hash_of(orjson.dumps(row).decode()) % _MOST_REVISIONS, row


def prints(db: Connection, wanted: Iterable[SyncData]) -> dict[str, str]:
    """Of each, a text that is another one when it says something else."""
    return {each.name: f"{_sum_of(db, each):08x}" for each in wanted}


def _sum_of(db: Connection, data: SyncData) -> int:
    return sum(hash_of(f"{key}:{revision}") for key, revision, _ in revised(db, data)) % 2**32
