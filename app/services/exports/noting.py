"""Who was shown whose record by an export: whole units as one note, everything else by itself.

A row that is a record itself (a member, a household) and stands in a unit that was read whole is in the
note of that unit. So is what hangs on a household there, where its households were exported, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.db import chunks
from app.models.kernel.access import Right
from app.models.kernel.access_log import ReadHow
from app.services.kernel import bulk_reads
from app.services.kernel.access import Actor
from app.services.kernel.bulk_reads import BulkReading
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import SyncKind
from app.services.kernel.reach import Reach, within
from app.services.kernel.shown import Shown, noted_as, shown, view_of
from app.services.kernel.single_reads import SingleReads
from app.services.sync import slices
from app.services.sync.scopes import Scope

Rows = Sequence[Mapping[str, Any]]
_ID: Final = "id"


@dataclass
class ExportNotes:
    """Kept while the rows are written, noted when all of them are."""

    db: Connection
    scope: Scope
    # Only what is different since another export: most rows of a unit are not written then.
    since: bool
    _kinds: dict[str, SyncKind] = field(init=False, default_factory=dict)
    # Of each kind the units that were read whole; sensitive fields shown of it, by their entity.
    _walked: dict[str, tuple[Reach, ...]] = field(init=False, default_factory=dict)
    _shown: defaultdict[tuple[str, str], set[str]] = field(init=False)
    _single: SingleReads = field(init=False, default_factory=SingleReads)

    def __post_init__(self) -> None:
        self._shown = defaultdict(set)

    def walked(self, kind: SyncKind, reaches: Iterable[Reach]) -> None:
        """All rows of a kind in these units are shown, before those of other kinds that hang on them."""
        held = {reach for reach, rights in self.scope.for_kind(kind) if kind.right in rights}
        self._kinds[kind.name] = kind
        self._walked[kind.name] = tuple(reach for reach in reaches if reach in held)

    def take(self, kind: SyncKind, rows: Rows, chosen: Sequence[str] | None) -> None:
        """Rows that are written, with all their fields or with the chosen ones."""
        if view_of(kind.schema) is None or not rows:
            return
        base = self._base_of(kind)
        if base is None:
            self._single.add(_shown_by(kind, rows, chosen))
            return
        others: Rows = ()
        if not (base.name == kind.name and kind.shows is None and not self.since):
            inside = self._inside(kind, base, rows)
            others = [row for row in rows if row[_ID] not in inside]
            rows = [row for row in rows if row[_ID] in inside]
        for each in _shown_by(kind, rows, chosen):
            self._shown[base.name, each.entity].update(each.fields)
        self._single.add(_shown_by(kind, others, chosen))

    def take_single(
        self, schema: type[BaseModel], rows: Rows, chosen: Sequence[str] | None
    ) -> None:
        """Rows of another day, which stood elsewhere then."""
        self._single.add(shown(schema, rows, ReadHow.export, chosen=chosen))

    def _base_of(self, kind: SyncKind) -> SyncKind | None:
        """The kind of the records that its rows are about, where units of it were read whole."""
        about = _about(kind)
        for base in (kind, *self._kinds.values()):
            walked = self._walked.get(base.name)
            if walked and base.entity == about == _about(base) and base.place is kind.place:
                return base
        return None

    def _inside(self, kind: SyncKind, base: SyncKind, rows: Rows) -> set[Any]:
        """Those that stand in the units that were read whole."""
        ids = [row[_ID] for row in rows]
        here = within(kind.place, self._whole(kind, base))
        statement = slices.of_kind(kind, col(kind.model.id)).where(here)
        return {
            key
            for chunk in chunks(ids)
            for key in self.db.execute(statement.where(col(kind.model.id).in_(chunk))).scalars()
        }

    def _whole(self, kind: SyncKind, base: SyncKind) -> Sequence[Reach]:
        """The units whose note has all that rows of the kind reveal."""
        walked, view = self._walked[base.name], view_of(kind.schema)
        if base.name == kind.name or view is None:
            return walked
        told = view.row.union(shows for _, shows in view.plain)
        rights = dict(self.scope.for_kind(base))
        return [reach for reach in walked if told <= _noted_by(base, rights[reach])]

    def note(self, session: Session, actor: Actor, reading: BulkReading) -> None:
        """In the transaction that gives the files away."""
        bulk_reads.note(session, reading, self._by_unit())
        self._single.note(session, actor)

    def _by_unit(self) -> Mapping[tuple[int, str], set[str]]:
        """By unit and entity: what rights over the unit have shown."""
        found: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        for (name, entity), fields in self._shown.items():
            kind = self._kinds[name]
            rights = dict(self.scope.for_kind(kind))
            for reach in self._walked[name]:
                names = fields & _noted_by(kind, rights[reach])
                for unit_id in (*reach.unit_ids, *reach.communes) if names else ():
                    found[unit_id, entity] |= names
        return found


def _shown_by(kind: SyncKind, rows: Rows, chosen: Sequence[str] | None) -> list[Shown]:
    return shown(kind.schema, rows, ReadHow.export, chosen=chosen)


def _about(kind: SyncKind) -> str | None:
    """The entity of the records that rows of a kind tell about."""
    view = view_of(kind.schema)
    return None if view is None or view.about is None else view.about.entity


def _noted_by(kind: SyncKind, rights: frozenset[Right]) -> set[str]:
    """What the access log calls the fields that these rights show."""
    _, tracked = manifest().by_entity[kind.entity]
    guarded = [*tracked.masks.items(), ("", kind.right)]
    named = (noted_as(right, column) for column, right in guarded if right in rights)
    return {name for name in named if name}
