"""A page of what a phone gets, as it is filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.models.sync.pull import SyncOp
from app.services.kernel.offers import SyncData, SyncKind
from app.services.sync.slices import Key, RowPlace


class BoundedPage:
    """Items as JSON, and those of them that show a row; `room` is how many bytes may still be added."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._size = room
        self.items: list[bytes] = []
        self.shown: list[Mapping[str, Any]] = []

    @property
    def is_full(self) -> bool:
        return self.room <= 0

    @property
    def is_nearly_full(self) -> bool:
        """What room there is costs more to look for rows than it holds of them."""
        return self.room < self._size // 4

    def fits(self, size: int) -> bool:
        """The first item fits whatever its size, so that every page gets on."""
        return not self.items or size <= self.room

    def add(self, item: "Item") -> None:
        self.items.append(item.text)
        self.room -= len(item.text)
        if item.row is not None:
            self.shown.append({"kind": item.kind, "row": item.row})

    def take(self, other: "BoundedPage") -> bool:
        """Add what another page has, after what this one has; false where it has no room."""
        size = sum(map(len, other.items))
        if not self.fits(size):
            return False
        self.room -= size
        self.items += other.items
        self.shown += other.shown
        return True


@dataclass(frozen=True, slots=True)
class Item:
    """An item as JSON, and the row that it shows."""

    kind: str
    text: bytes
    row: Mapping[str, Any] | None


def kept(op: SyncOp, kind: SyncKind, place: RowPlace, row: Mapping[str, Any]) -> Item:
    """A row that the phone keeps."""
    said = {"revision": place.revision, "unit_id": place.unit_id, "row": row}
    return Item(kind.name, _text(op, kind, place.key, said), row)


def released(data: SyncData, key: str, revision: int, row: Mapping[str, Any]) -> Item:
    """A row of data of the release, which the phone keeps."""
    said = {"revision": revision, "unit_id": None, "row": row}
    return Item(data.name, _text(SyncOp.upsert, data, key, said), row)


def dropped(op: SyncOp, kind: SyncKind, key: Key) -> Item:
    """A row that the phone drops."""
    said = {"revision": None, "unit_id": None, "row": None}
    return Item(kind.name, _text(op, kind, key, said), None)


def _text(op: SyncOp, kind: SyncKind | SyncData, key: Key | str, said: Mapping[str, Any]) -> bytes:
    item = {"op": op, "kind": kind.name, "id": key, **said}
    return orjson.dumps(item, option=orjson.OPT_UTC_Z)
