"""Applying an import: its rows are written set by set, each set once whatever happens.

A set and the mark that it is done are one transaction, so a process that dies in between has done
all of a set or nothing; who takes the job up goes on behind the last mark.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, chunks
from app.errors import Problem
from app.models.imports.imports import WRITES, Import, ImportState, RowOutcome
from app.models.imports.rows import ImportRow
from app.models.kernel.changes import ChangeSource
from app.services.external_ids.records import OWNED, Naming
from app.services.imports import external, store
from app.services.imports.kinds import kind_of
from app.services.imports.places import Places
from app.services.imports.preview import load
from app.services.kernel import changes, jobs
from app.services.kernel.access import Actor
from app.services.kernel.keyset import Key, Order
from app.services.kernel.list_kinds import SET, Json, KindOfList, RowsDue

_BY_NUMBER = Order(col(ImportRow.number))


def ref_of(made: Any, places: Places, number: int) -> str:
    """Where a change comes from, for the log: the import, its file and the row."""
    return f"import {made.id} row {places.text(number)}: {made.file_name}"[:200]


@contextmanager
def writing(task: jobs.Task, made: Any) -> Iterator[Session]:
    """One transaction whose changes carry this import as their origin."""
    with task.database.writing() as session:
        origin = task.origin(ChangeSource.import_, f"import {made.id}")
        changes.attribute(session, origin)
        yield session


def run(task: jobs.Task) -> dict[str, Any]:
    """Write what is due, then see who may be twice on record."""
    import_id = UUID(task.args["import_id"])
    with task.database.reading() as db:
        made = load(db, import_id)
    if made.state is ImportState.applied:
        return {"import_id": str(import_id), "summary": made.summary}
    actor, apply = task.actor(), _Apply(task, made)
    if made.options.get("atomic"):
        apply.at_once(actor)
    else:
        apply.set_by_set(actor)
    return {"import_id": str(import_id), "summary": apply.finish()}


class _Apply:
    def __init__(self, task: jobs.Task, made: Any) -> None:
        self.task = task
        self.made = made
        self.kind: KindOfList = kind_of(made.kind)
        self.places = Places(made)
        self.rows = sa.and_(col(ImportRow.import_id) == made.id, col(ImportRow.round) == made.round)
        self.total = sum((made.summary or {}).get(outcome.value, 0) for outcome in WRITES)
        self.done = 0

    def set_by_set(self, actor: Actor) -> None:
        with self.task.database.reading() as db:
            marked = sa.select(sa.func.count()).where(
                self.rows, col(ImportRow.done_at).is_not(None)
            )
            self.done = db.execute(marked).scalar_one()
        while True:
            with writing(self.task, self.made) as session:
                due = self._due(session)
                if not due:
                    return
                refused = self._write(session, actor, due)
                self._mark_refused(session, refused)
                self.done += len(due)
                self.task.progress(min(self.done, self.total), self.total, session)

    def at_once(self, actor: Actor) -> None:
        """All rows in one transaction: one that is refused undoes it."""
        try:
            with writing(self.task, self.made) as session:
                while due := self._due(session):
                    refused = self._write(session, actor, due)
                    if refused:
                        raise Problem("import_row_refused", row=self.places.text(min(refused)))
                self.task.progress(self.total, self.total, session)
        except Problem as problem:
            if not problem.passes:
                self._back_to_preview(problem)
            raise

    def _back_to_preview(self, problem: Problem) -> None:
        with self.task.database.writing() as session:
            session.execute(
                sa.update(Import)
                .where(col(Import.id) == self.made.id)
                .values(
                    state=ImportState.ready,
                    problem=jobs.both_languages(problem),
                    applied_by=None,
                    revision=col(Import.revision) + 1,
                    updated_at=utc_now(),
                )
            )

    def _due(self, session: Session) -> Sequence[Any]:
        statement: AnySelect = (
            sa.select(
                col(ImportRow.id),
                col(ImportRow.number),
                col(ImportRow.outcome),
                col(ImportRow.unit_id),
                col(ImportRow.entity_id),
                col(ImportRow.entity_revision),
                col(ImportRow.content),
            )
            .where(self.rows, col(ImportRow.outcome).in_(WRITES), col(ImportRow.done_at).is_(None))
            .order_by(col(ImportRow.number))
            .limit(self.kind.at_once)
            .with_for_update()
        )
        return session.execute(statement).all()

    def _write(
        self, session: Session, actor: Actor, due: Sequence[Any]
    ) -> dict[int, tuple[Any, Json]]:
        """Write a set and mark it; the rows that were refused, by number."""
        contents = {row.number: store.content_of(row.content) for row in due}
        rows = [
            RowsDue(
                number=row.number,
                outcome=row.outcome,
                unit_id=row.unit_id,
                entity_id=row.entity_id,
                entity_revision=row.entity_revision,
                writes=contents[row.number]["writes"],
                ref=ref_of(self.made, self.places, row.number),
            )
            for row in due
        ]
        named = {n: each["external_id"] for n, each in contents.items() if each.get("external_id")}
        refused = external.write(
            session, self.kind, named, rows, partial(self.kind.write, session, actor), self.made.id
        )
        written = [row.id for row in due if row.number not in refused]
        now = utc_now()
        for chunk in chunks(written):
            session.execute(
                sa.update(ImportRow)
                .where(col(ImportRow.id).in_(chunk))
                .values(
                    done_at=now,
                    # A new record has revision 1, a corrected one the next.
                    entity_revision=sa.func.coalesce(col(ImportRow.entity_revision), 0) + 1,
                )
            )
        return {row.number: (row, refused[row.number]) for row in due if row.number in refused}

    def _mark_refused(self, session: Session, refused: Mapping[int, tuple[Any, Json]]) -> None:
        """What could not be written is a row in error, with the reason."""
        for row, problem in refused.values():
            content = store.content_of(row.content)
            content["problems"] = [*content["problems"], problem]
            is_new = row.outcome is RowOutcome.created
            session.execute(
                sa.update(ImportRow)
                .where(col(ImportRow.id) == row.id)
                .values(
                    outcome=RowOutcome.error,
                    content=store.text_of(content),
                    entity_id=None if is_new else row.entity_id,
                )
            )

    def finish(self) -> dict[str, int]:
        """All rows are written: the inbox of duplicates, the rows that changed nothing, the sum."""
        created = (
            sa.select(col(ImportRow.entity_id))
            .where(self.rows, col(ImportRow.outcome) == RowOutcome.created)
            .order_by(col(ImportRow.number))
        )
        with self.task.database.reading() as db:
            ids = [entity_id for entity_id in db.execute(created).scalars() if entity_id]
        self.kind.finish(self.task.database, ids)
        self._name_the_same()
        now = utc_now()
        with self.task.database.writing() as session:
            session.execute(
                sa.update(ImportRow)
                .where(
                    self.rows,
                    col(ImportRow.outcome) == RowOutcome.same,
                    col(ImportRow.done_at).is_(None),
                )
                .values(done_at=now)
            )
            summary = store.counts(session, self.made.id, self.made.round)
            session.execute(
                sa.update(Import)
                .where(col(Import.id) == self.made.id)
                .values(
                    state=ImportState.applied,
                    summary=summary,
                    problem=None,
                    applied_at=now,
                    undone_at=None,
                    revision=col(Import.revision) + 1,
                    updated_at=now,
                )
            )
        return summary

    def _name_the_same(self) -> None:
        """Rows that change nothing of their records may say what another system calls them."""
        walk = _BY_NUMBER.walk(
            sa.select(
                col(ImportRow.number), col(ImportRow.entity_id), col(ImportRow.content)
            ).where(self.rows, col(ImportRow.outcome) == RowOutcome.same)
        )
        after: Key | None = None
        while self.kind.entity in OWNED:
            with writing(self.task, self.made) as session:
                rows = session.execute(walk(after, SET)).all()
                if not rows:
                    return
                namings = [
                    Naming(row.entity_id, text, ref_of(self.made, self.places, row.number))
                    for row in rows
                    if (text := store.content_of(row.content).get("external_id"))
                ]
                external.name(session, self.kind.entity, namings, self.made.id)
                after = _BY_NUMBER.key(rows[-1])
