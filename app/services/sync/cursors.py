"""How far a phone has come: kept by the phone, made and read by the server alone.

The server stores nothing for a phone to pull. A cursor is sealed (AES-SIV), so it can neither be
read nor changed, and it names the account and the device that it was given to.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self
from uuid import UUID

from app.models.kernel.following import StartOverReason
from app.security.sealing import Sealer
from app.services.kernel.access import Actor, Db
from app.services.kernel.following import newest, start_over
from app.services.kernel.reach import Reach
from app.services.sync.packing import (
    packed_reaches,
    packed_scopes,
    unpacked_reaches,
    unpacked_scopes,
)
from app.services.sync.scopes import Scope

_CONTEXT = b"sync cursor 2"


@dataclass(frozen=True, slots=True)
class SnapshotWalk:
    """On the way through the rows in which the phone may differ: kind by kind, by the key.

    At its end the phone has all rows of `scope`, of these `kinds`, from `day` on. `again`: units that
    have moved, whose rows are looked at whether the rights have changed or not.
    """

    scope: Scope
    day: date
    kinds: Mapping[str, str]
    again: tuple[Reach, ...] = ()
    kind: str | None = None
    after: int | UUID | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a phone has.

    All rows of `whole`, of the kinds in `has` (with the print of their fields), as they were when
    the log had come to `seq`; some of them, and some of `perhaps`, as they were later. `day` is the
    day on which it was reckoned how far back rows are kept. `departed`: units that were among these
    and went elsewhere; what has left them since then may still be on the phone.
    """

    account_id: UUID
    device_id: UUID | None
    epoch: UUID
    seq: int
    given_at: datetime
    day: date
    # Kinds and unit as they were asked for first; None: all.
    asked: tuple[str, ...] | None
    unit: int | None
    has: Mapping[str, str]
    whole: Scope
    perhaps: Scope
    walk: SnapshotWalk | None
    departed: tuple[Reach, ...] = ()

    def packed(self) -> list[Any]:
        """As JSON."""
        walk = self.walk
        return [
            self.account_id.hex,
            self.device_id and self.device_id.hex,
            self.epoch.hex,
            self.seq,
            int(self.given_at.timestamp()),
            self.day.isoformat(),
            self.asked,
            self.unit,
            self.has,
            packed_scopes(self.whole, self.perhaps, *([] if walk is None else [walk.scope])),
            None if walk is None else _packed(walk),
            packed_reaches(self.departed),
        ]

    def sealed(self, sealer: Sealer, context: bytes = _CONTEXT) -> str:
        text = json.dumps(self.packed(), separators=(",", ":")).encode()
        return sealer.seal(zlib.compress(text, 9), context)

    @classmethod
    def opened(cls, sealed: str, sealer: Sealer, context: bytes = _CONTEXT) -> Self:
        """ValueError for what no server of this installation has made, for this use of it."""
        return cls.unpacked(json.loads(zlib.decompress(sealer.open(sealed, context))))

    @classmethod
    def unpacked(cls, packed: Sequence[Any]) -> Self:
        account, device, epoch, seq, given, day, asked, unit, has, *rest = packed
        scopes, walk, departed = rest
        whole, perhaps, *walked = unpacked_scopes(scopes)
        return cls(
            account_id=UUID(account),
            device_id=None if device is None else UUID(device),
            epoch=UUID(epoch),
            seq=seq,
            given_at=datetime.fromtimestamp(given, UTC),
            day=date.fromisoformat(day),
            asked=None if asked is None else tuple(asked),
            unit=unit,
            has=has,
            whole=whole,
            perhaps=perhaps,
            walk=None if walk is None else _unpacked(walk, *walked),
            departed=unpacked_reaches(departed),
        )


def read(db: Db, actor: Actor, sealed: str, sealer: Sealer) -> Cursor:
    """The cursor of a request; 409 `start_over` where it was not given to this account and device."""
    try:
        cursor = Cursor.opened(sealed, sealer)
    except ValueError as error:
        raise start_over(StartOverReason.unreadable, newest(db)) from error
    if cursor.account_id != actor.account_id:
        raise start_over(StartOverReason.foreign, newest(db))
    if cursor.device_id != actor.device_id:
        raise start_over(StartOverReason.other_device, newest(db))
    return cursor


def epoch_of(sealed: str | None, account_id: UUID, sealer: Sealer) -> UUID | None:
    """In which epoch an account has pulled last; None where its cursor does not say."""
    try:
        cursor = None if sealed is None else Cursor.opened(sealed, sealer)
    except ValueError:
        return None
    return cursor.epoch if cursor is not None and cursor.account_id == account_id else None


def _packed(walk: SnapshotWalk) -> list[Any]:
    after = walk.after
    return [
        walk.day.isoformat(),
        walk.kinds,
        packed_reaches(walk.again),
        walk.kind,
        after.hex if isinstance(after, UUID) else after,
    ]


def _unpacked(packed: list[Any], scope: Scope) -> SnapshotWalk:
    day, kinds, again, kind, after = packed
    return SnapshotWalk(
        scope,
        date.fromisoformat(day),
        kinds,
        unpacked_reaches(again),
        kind,
        UUID(after) if isinstance(after, str) else after,
    )
