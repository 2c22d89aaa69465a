"""The streaming door of imports: lines are planned, written and answered set by set.

A set of lines is one transaction with its verdicts: a process that dies in between has done all of it
or nothing, and the same chunk sent again goes on behind it. The rules are those of files: the planner
of the kind decides what a line does, its writer does it, and the batch is an import that can be undone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import Database
from app.errors import Problem
from app.models.base import new_id
from app.models.imports.bulk import LINES, BulkQuery, BulkSet
from app.models.imports.imports import WRITES, Import, ImportState, RowOutcome
from app.models.kernel.changes import ChangeSource
from app.problem_texts import Language
from app.services.external_ids.records import OWNED, Naming
from app.services.external_ids.records import find as find_records
from app.services.imports import bulk_sets, external, store, verdicts
from app.services.imports.bulk_lines import Lines, Reader, TakenLine, new_fingerprint
from app.services.imports.kinds import kind_of
from app.services.kernel import actors, changes
from app.services.kernel.access import Actor, Db, ensure
from app.services.kernel.changes import Origin
from app.services.kernel.list_kinds import (
    SET,
    Frame,
    Given,
    Json,
    KindOfList,
    RowPlan,
    RowsDue,
    WithoutCells,
)
from app.services.members import elsewhere
from app.services.units.units import find_filter

_MOST_BYTES: Final = 2 * 1024 * 1024
_ATTEMPTS: Final = 3
_SETTLED_TOGETHER: Final = 5
_TRUSTED_SECONDS: Final = 3.0
_UNCHANGED: Final = (RowOutcome.created, RowOutcome.updated, RowOutcome.same)
Numbered = tuple[int, bytes | None]
Planned = list[tuple[TakenLine, RowPlan]]


@dataclass
class Bulk:
    """One request. `import_id` is the import that its batch is; None of a dry run."""

    database: Database
    actor: Actor
    kind: KindOfList
    query: BulkQuery
    author: Origin
    language: Language
    import_id: UUID | None
    known: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cutter = Lines()
        self._lines: list[Numbered] = []
        self._size = self._line = self._set = 0
        self._most = at_once(self.database)
        self._loaded = monotonic()
        self._unsettled: list[UUID] = []
        self.dry = verdicts.Packed()

    # -- cutting

    def cut(self, data: bytes) -> Iterator[Sequence[Numbered]]:
        """The sets that are whole with these bytes of the body."""
        for line in self._cutter.feed(data):
            yield from self._add(line)

    def rest(self) -> Sequence[Numbered]:
        """The last set, which may be empty."""
        for line in self._cutter.end():
            for lines in self._add(line):
                self._lines = [*lines]
        lines, self._lines = self._lines, []
        return lines

    def _add(self, line: bytes | None) -> Iterator[Sequence[Numbered]]:
        self._line += 1
        if self._line >= LINES:
            raise Problem("bulk_too_many_lines", limit=LINES - 1)
        self._lines.append((self._line, line))
        self._size += len(line or b"")
        if len(self._lines) >= self._most or self._size >= _MOST_BYTES:
            lines, self._lines, self._size = self._lines, [], 0
            yield lines

    # -- a set

    def take(self, lines: Sequence[Numbered], *, is_last: bool = False) -> None:
        """Write a set, unless it was written before. 409 where it came with other lines then."""
        digests = bulk_sets.digests(self.database, lines)
        number, self._set = self._set, self._set + 1
        if number < len(self.known):
            bulk_sets.ensure_same(self.known[number], digests, is_last=is_last)
            self._settle(self.known[number].id, now=is_last)
            return
        if self.known and self.known[-1].is_last:
            raise Problem("bulk_chunk_differs")
        reader = Reader(self.kind.name)
        taken = [each for n, line in lines if (each := reader.take(n, line)) is not None]
        parts = list(_apart(taken, self._records(taken)))
        self._refresh()
        if self.import_id is None:
            self._try(parts)
            return
        first = lines[0][0] if lines else self._line + 1
        made = BulkSet(
            import_id=self.import_id,
            chunk=self.query.chunk,
            number=number,
            first_line=first,
            lines=len(lines),
            digest=digests[0],
            is_last=is_last,
        )
        self._write(made, parts)

    def _records(self, taken: Sequence[TakenLine]) -> Mapping[str, Any]:
        """By what other systems call them, where some lines say that and others our id."""
        names = {name for each in taken for name, _ in each.named}
        if len(names) < 2 or self.kind.entity not in OWNED:  # both
            return {}
        told = [value for each in taken for name, value in each.named if name == external.FIELD]
        with self.database.reading() as db:
            return find_records(db, self.kind.entity, told)

    def _try(self, parts: Iterable[Sequence[TakenLine]]) -> None:
        for part in parts:
            with self.database.reading() as db:
                planned = self._plan(db, part)
            for line, plan in planned:
                self.dry.add(verdicts.line(line, plan, self.language, dry=True))

    def _write(self, made: BulkSet, parts: Sequence[Sequence[TakenLine]]) -> None:
        for attempt in range(_ATTEMPTS):
            with self.database.reading() as db:
                begun = [self._plan(db, part) for part in parts[:1]]
            try:
                kept = self._written(made, parts, begun)
            except IntegrityError:  # another writer was faster: compared again
                if attempt == _ATTEMPTS - 1:
                    raise Problem("unavailable", retry_after=1) from None
            else:
                self._settle(kept, now=made.is_last)
                return

    def _written(
        self, made: BulkSet, parts: Sequence[Sequence[TakenLine]], begun: list[Planned]
    ) -> UUID | None:
        """Its id, once it is committed; of one that another request has written, that one's."""
        with self.database.writing() as session:
            changes.attribute(session, self.author)
            batch = bulk_sets.locked(session, made.import_id)
            other = bulk_sets.found(session, made)
            if other is not None:
                bulk_sets.ensure_same(other, [made.digest], is_last=made.is_last)
                return other.id if not other.settled else None
            packed, counted = verdicts.Packed(), dict.fromkeys(RowOutcome, 0)
            for place, part in enumerate(parts):
                planned = begun[place] if place < len(begun) else self._plan(session, part)
                self._enter(session, batch, planned)
                for line, plan in planned:
                    packed.add(verdicts.line(line, plan, self.language))
                    counted[plan.outcome] += 1
            row = made.model_dump() | {"id": new_id(), "verdicts": packed.text()}
            bulk_sets.put(session, batch, row, counted)
            elsewhere.tell_if_used_up(session, self.actor)
            return UUID(str(row["id"])) if counted[RowOutcome.created] else None

    def _settle(self, set_id: UUID | None, *, now: bool) -> None:
        """Some sets together: what is compared with them is read once for all."""
        if set_id is not None:
            self._unsettled.append(set_id)
        if now or len(self._unsettled) == _SETTLED_TOGETHER:
            bulk_sets.settle(self.database, self.kind, self._unsettled)
            self._unsettled = []

    # -- its lines

    def _plan(self, db: Db, part: Sequence[TakenLine]) -> Planned:
        unit = find_filter(db, self.actor, self.query.unit, pointer="/unit")
        ensure(db, self.actor, self.kind.right, unit, seen_with=self.kind.right)
        frame = Frame(
            unit=unit,
            columns={},
            duplicates=self.query.duplicates,
            empty_cells=self.query.empty_cells,
            accept=frozenset(self.query.accept),
            leave_out=WithoutCells(),
            partial=True,
        )
        rows = [each.row for each in part if each.row is not None]
        plans = iter(self.kind.plan(db, self.actor, frame, rows, store.earlier(self.kind.name)))
        return [
            (
                each,
                RowPlan(RowOutcome.error, problems=each.wrong) if each.row is None else next(plans),
            )
            for each in part
        ]

    def _enter(self, session: Session, batch: Import, planned: Planned) -> None:
        """Write what the plans say; a plan is afterwards what became of its line."""
        ref = f"import {batch.id} chunk {self.query.chunk} line "
        by_number = {line.number: plan for line, plan in planned}
        due = [
            RowsDue(
                number=n,
                outcome=plan.outcome,
                unit_id=plan.unit_id,
                entity_id=plan.entity_id,
                entity_revision=plan.entity_revision,
                writes=plan.writes,
                ref=f"{ref}{n}",
                checked=plan.checked,
            )
            for n, plan in by_number.items()
            if plan.outcome in WRITES and plan.entity_id is not None
        ]
        named = {row.number: text for row in due if (text := by_number[row.number].external_id)}
        refused = external.write(
            session,
            self.kind,
            named,
            due,
            lambda rows: self.kind.write(session, self.actor, rows),
            batch.id,
        )
        namings = [
            Naming(plan.entity_id, plan.external_id, f"{ref}{n}")
            for n, plan in by_number.items()
            if plan.outcome is RowOutcome.same and plan.external_id
        ]
        if namings:
            external.name(session, self.kind.entity, namings, batch.id)
        for row in due:
            _came_to(by_number[row.number], refused.get(row.number))
        store.put(session, [self._kept(session, batch, *each) for each in planned])

    def _kept(self, db: Db, batch: Import, line: TakenLine, plan: RowPlan) -> dict[str, Any]:
        """A line as a row of the import. What it said is kept where a person may have to see it."""
        row = line.row or Given(line.number, {}, line.wrong, new_fingerprint())
        is_done = plan.outcome in _UNCHANGED
        content = {
            "values": row.values,
            "given": row.problems,
            "fingerprint": row.fingerprint,
            "problems": plan.problems,
            "writes": plan.writes,
            "candidates": plan.candidates,
            "planned_by": str(self.actor.account_id),
        }
        return {
            "id": new_id(),
            "import_id": batch.id,
            "round": batch.round,
            "number": self.query.chunk * LINES + line.number,
            "outcome": plan.outcome,
            "unit_id": plan.unit_id,
            "entity_id": plan.entity_id,
            "entity_revision": plan.entity_revision,
            "digest": store.digest(db, row.fingerprint),
            "content": None if is_done else store.text_of(content),
            "decision": row.decision,
            "accepted": sorted(row.accepted) or None,
            "done_at": utc_now() if is_done else None,
            "undone_at": None,
        }

    def _refresh(self) -> None:
        """A body may arrive for an hour: the rights are those of the set, and not of its beginning."""
        if monotonic() - self._loaded < _TRUSTED_SECONDS:
            return
        actor = self.database.read_primary(lambda db: actors.load_actor(db, self.actor.session_id))
        if actor is None:
            raise Problem("invalid_token", extra={"reason": "revoked"})
        self.actor, self._loaded = actor, monotonic()


def at_once(database: Database) -> int:
    """So many lines are a set: who may be on record is read once for all of them, but on SQLite every
    other writer waits until they are written."""
    return SET if database.on_sqlite else 4 * SET


def _came_to(plan: RowPlan, refused: Json | None) -> None:
    if refused is not None:
        plan.problems = [*plan.problems, refused]
        if plan.outcome is RowOutcome.created:
            plan.entity_id = None
        plan.outcome = RowOutcome.error
    else:
        # A new record has revision 1, a corrected one the next.
        plan.entity_revision = (plan.entity_revision or 0) + 1


def _apart(taken: Sequence[TakenLine], known: Mapping[str, Any]) -> Iterator[Sequence[TakenLine]]:
    """Lines of one record one after the other: each part names a record once."""
    part: list[TakenLine] = []
    met: set[str] = set()
    for each in taken:
        names = {str(known.get(value, value)) for _, value in each.named}
        if not met.isdisjoint(names):
            yield part
            part, met = [], set()
        part.append(each)
        met |= names
    if part:
        yield part


def begin(
    database: Database,
    actor: Actor,
    kind_name: str,
    query: BulkQuery,
    author: Origin,
    language: Language,
) -> Bulk:
    """Open the batch, or go on with it. 422 for a unit out of scope, 403 without the right over it, 409
    for a batch of another kind or unit, or that was undone."""
    kind = kind_of(kind_name)
    with database.writing() as session:
        unit = find_filter(session, actor, query.unit, pointer="/unit")
        ensure(session, actor, kind.right, unit, seen_with=kind.right)
        if kind.together:
            raise Problem("bulk_kind_whole")
        batch = None if query.dry_run else _opened(session, actor, kind, query)
        known = [] if batch is None else bulk_sets.of_chunk(session, batch.id, query.chunk)
        import_id = None if batch is None else batch.id
    if import_id is not None:
        author = replace(author, source=ChangeSource.import_)
        author = replace(author, source_ref=f"import {import_id}")
    return Bulk(database, actor, kind, query, author, language, import_id, known)


def _opened(session: Session, actor: Actor, kind: KindOfList, query: BulkQuery) -> Import:
    if query.batch is not None:
        found = session.exec(
            select(Import).where(
                col(Import.account_id) == actor.account_id, col(Import.batch) == query.batch
            )
        ).one_or_none()
        if found is not None:
            if (found.kind, found.unit_id) != (kind.name, query.unit):
                raise Problem("bulk_batch_differs")
            bulk_sets.ensure_open(found)
            return found
    now = utc_now()
    made = Import(
        kind=kind.name,
        unit_id=query.unit,
        account_id=actor.account_id,
        state=ImportState.applied,
        file_name=query.batch or "bulk",
        file_size=0,
        mapping={},
        options={},
        summary={outcome.value: 0 for outcome in RowOutcome},
        created_at=now,
        updated_at=now,
        applied_at=now,
        applied_by=actor.account_id,
        batch=query.batch,
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:
        return _opened(session, actor, kind, query)
    return made


def find(db: Db, actor: Actor, kind_name: str, batch: str) -> UUID | None:
    """The import that a batch of this account is."""
    statement = sa.select(col(Import.id)).where(
        col(Import.account_id) == actor.account_id,
        col(Import.batch) == batch,
        col(Import.kind) == kind_name,
    )
    return db.execute(statement).scalar_one_or_none()
