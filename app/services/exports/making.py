"""Making an export: all its files from one snapshot, a page of rows in memory at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from itertools import chain
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.clock import local_day, local_today, utc_now
from app.db import chunks
from app.models.exports.exports import BulkFormat, ExportDeletion, ExportFile
from app.models.kernel.export_log import ExportFormat
from app.services.exports import keeping, orders
from app.services.exports.noting import ExportNotes
from app.services.exports.past import pages_of_day
from app.services.exports.since import Differences, Gone
from app.services.exports.writing import FILE_TYPES, WrittenRows
from app.services.files.made import FileInMaking
from app.services.kernel import export_log
from app.services.kernel.access import Actor
from app.services.kernel.bulk_reads import BulkReading
from app.services.kernel.following import Position
from app.services.kernel.jobs import Task
from app.services.kernel.manifest import manifest
from app.services.kernel.moments import at_a_number
from app.services.kernel.offers import SyncKind
from app.services.sync import slices
from app.services.sync.cursors import Cursor
from app.services.sync.scopes import Scope, hash_of
from app.services.units.rows import find

_PAGE: Final = 2_000
DELETION: Final = "deletion"
Rows = Sequence[Mapping[str, Any]]


def run(task: Task) -> dict[str, Any]:
    """The job. Done again after a crash it begins anew, at a later moment: nothing of the first
    attempt is kept. What is ready is not made again."""
    export_id = UUID(task.args["export_id"])
    while not made(task, task.actor(), export_id):
        pass
    return {"export_id": str(export_id)}


def made(task: Task, actor: Actor, export_id: UUID) -> bool:
    """False where somebody was erased meanwhile, who may be in the files."""
    with task.writing() as session:
        if not keeping.begin(session, export_id):
            return True
    with at_a_number(task.database) as (db, position), task.database.reading() as log:
        order = orders.find_own(db, export_id, actor.account_id)
        making = _Making(task, actor, db, log, position, order)
        making.write_all()
    with task.writing() as session:
        return making.finish(session)


@dataclass
class _Making:
    task: Task
    actor: Actor
    db: Connection
    log: Connection
    position: Position
    order: Any
    kinds: list[SyncKind] = field(init=False)
    scope: Scope = field(init=False)
    files: list[ExportFile] = field(init=False, default_factory=list)
    rows: int = field(init=False, default=0)
    notes: ExportNotes = field(init=False)
    gone: list[Gone] = field(init=False, default_factory=list)
    since: Differences | None = field(init=False, default=None)
    begun_at: datetime = field(init=False, default_factory=utc_now)
    day: date = field(init=False, default_factory=local_today)

    def __post_init__(self) -> None:
        unit = None if self.order.unit_id is None else find(self.db, self.order.unit_id)
        self.scope = Scope.of(self.db, self.actor, unit)
        known = manifest().sync
        # A phone keeps rows for some time, a file has all of them.
        self.kinds = [
            replace(kind, days=None, page=_PAGE)
            for kind in slices.in_order(known, self.order.kinds)
        ]
        self.notes = ExportNotes(self.db, self.scope, self.order.since is not None)
        if self.order.since is not None:
            given = Cursor.unpacked(self.order.since)
            reads = (self.db, self.log, self.actor, given, self.position, self.scope)
            self.since = Differences(*reads, self._prints(), self.day)

    def _prints(self) -> Mapping[str, str]:
        """Of each kind, a print of what is written of it: with other fields all of it comes again."""
        return {
            kind.name: f"{sum(map(hash_of, self._columns(kind))) % 2**32:08x}"
            for kind in self.kinds
        }

    def write_all(self) -> None:
        """All files, parents first."""
        day = self.order.as_of
        if day is not None:
            for kind in self.kinds:
                self._write_of_day(kind, day)
            return
        if self.since is None:
            for kind in self.kinds:
                self._write(kind.name, kind.schema, self._columns(kind), self._pages(kind))
            return
        self.since.read_log(self.kinds)
        for kind in self.kinds:
            columns = ["op", *self._columns(kind)]
            self._write(kind.name, kind.schema, columns, self._differing(kind, self.since))
        columns = [*ExportDeletion.model_fields]
        gone = iter([[asdict(each) for each in reversed(self.gone)]])
        self._write(DELETION, ExportDeletion, columns, gone)

    def _write(
        self, name: str, schema: type[BaseModel], columns: Sequence[str], pages: Iterator[Rows]
    ) -> None:
        form = BulkFormat(self.order.format)
        written = WrittenRows(self.task.database, schema, columns, self.order)
        rows = _Counted(pages)
        with FileInMaking(self.task.database.settings, FILE_TYPES[form]) as made:
            written.write_to(made.write, rows.pages(), title=name)
        # An object that no row names is removed after an hour, and an export may take longer.
        with self.task.writing() as session:
            made.give(session, self.actor.account_id, orders.ENTITY, self.order.id)
        told = ExportFile(
            file_id=made.id,
            export_id=self.order.id,
            kind=name,
            name=f"{name}.{form.value}",
            columns=written.columns,
            rows=rows.count,
            bytes=made.size,
            sha256=made.sha256,
        )
        self.files.append(told)

    def _write_of_day(self, kind: SyncKind, day: date) -> None:
        assert kind.past is not None  # noqa: S101  # others are refused when they are asked for
        past, columns = kind.past, self._columns(kind)

        def pages() -> Iterator[Rows]:
            if not self.scope.may_hold(kind):
                return
            unit_id = self.order.unit_id
            for page in pages_of_day(self.db, self.actor, past, unit_id, day, _PAGE):
                # They are noted one by one: they stood elsewhere then.
                chosen = columns if kind.name in self.order.fields else None
                self.notes.take_single(past.schema, page, chosen)
                self._count(page)
                yield page

        self._write(kind.name, past.schema, columns, pages())

    def _columns(self, kind: SyncKind) -> list[str]:
        every = orders.columns_of(kind, of_day=self.order.as_of is not None)
        chosen = self.order.fields.get(kind.name)
        return [name for name in every if chosen is None or name in ("id", *chosen)]

    def _pages(self, kind: SyncKind) -> Iterator[Rows]:
        after: slices.Key | None = None
        circle = self.scope.circle
        self.notes.walked(kind, circle.reaches)
        while self.scope.may_hold(kind):
            keys = slices.kept_keys(self.db, kind, self.actor, self.day, circle, after)
            found = (kind.rows(self.db, self.actor, part) for part in chunks(keys))
            page = sorted(chain.from_iterable(found), key=itemgetter("id"))
            self._note(kind, page)
            yield page
            if len(keys) < kind.page:
                return
            after = keys[-1]

    def _differing(self, kind: SyncKind, since: Differences) -> Iterator[Rows]:
        for page in since.of(kind):
            if page.walked:
                self.notes.walked(kind, page.walked)
            self._note(kind, page.rows)
            self.gone += page.gone
            yield page.rows

    def _note(self, kind: SyncKind, rows: Rows) -> None:
        chosen = self._columns(kind) if kind.name in self.order.fields else None
        self.notes.take(kind, rows, chosen)
        self._count(rows)

    def _count(self, rows: Rows) -> None:
        self.rows += len(rows)
        self.task.progress(self.rows, None)

    # -- when all is written

    def finish(self, session: Session) -> bool:
        """In one transaction: the files are there, and who was shown what is noted."""
        now = utc_now()
        if not keeping.end(session, self.order.id, self._given().packed(), now):
            return False
        session.add_all(self.files)
        session.flush()
        reading = BulkReading(
            export_id=self.order.id,
            account_id=self.actor.account_id,
            day=local_day(now),
            at=now,
            seq=self.position.seq,
        )
        self.notes.note(session, self.actor, reading)
        self._note_export(session)
        return True

    def _note_export(self, session: Session) -> None:
        """In the log of exports, as a list that left as a file: `fields` are those of each kind."""
        unit = {} if self.order.unit_id is None else {"unit": self.order.unit_id}
        day = {} if self.order.as_of is None else {"as_of": self.order.as_of.isoformat()}
        export_log.note(
            session,
            self.actor.account_id,
            request_id=self.task.request_id or "",
            path=f"/v1/exports/{self.order.id}",
            filters={"kinds": self.order.kinds, "seq": self.position.seq, **unit, **day},
            fields=[f"{told.kind}.{name}" for told in self.files for name in told.columns],
            format_=ExportFormat(self.order.format),
            rows=self.rows,
        )

    def _given(self) -> Cursor:
        return Cursor(
            account_id=self.actor.account_id,
            device_id=None,
            epoch=self.position.epoch,
            seq=self.position.seq,
            given_at=self.begun_at,
            day=self.day,
            asked=tuple(self.order.kinds),
            unit=self.order.unit_id,
            has=self._prints(),
            whole=self.scope,
            perhaps=Scope(),
            walk=None,
        )


class _Counted:
    """Pages, and how many rows they had."""

    def __init__(self, pages: Iterator[Rows]) -> None:
        self._pages = pages
        self.count = 0

    def pages(self) -> Iterator[Rows]:
        for page in self._pages:
            self.count += len(page)
            yield page
