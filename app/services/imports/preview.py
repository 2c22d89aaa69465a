"""The preview of an import: the file is read, its columns are found, each row is compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, Database, chunks
from app.errors import Problem, not_found
from app.models.base import new_id
from app.models.imports.choices import DayOrder
from app.models.imports.imports import Duplicates, EmptyCells, Import, ImportState
from app.models.imports.rows import ImportRow
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.services.imports import columns, memory, places, store, tally
from app.services.imports.choices import Choices, choices_of
from app.services.imports.kinds import kind_of, of_file
from app.services.kernel import changes, jobs
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Frame, Given, KindOfList, RowPlan, WithoutCells, spoken
from app.services.members import elsewhere
from app.services.units.rows import unit_of
from app.workbooks import headers, reading, rows
from app.workbooks.tables import Kind, Limits, Table
from app.workbooks.values import Options

_BATCH = 1_000
# Of rows left out for one reason, so many are named by their number.
_MOST_NUMBERS = 1_000
_WRITABLE = [getattr(Import, name) for name in Import.model_fields]


def load(db: Db, import_id: UUID) -> Any:
    """The whole row of an import."""
    return db.execute(sa.select(*_WRITABLE).where(col(Import.id) == import_id)).one()


def run(task: jobs.Task) -> dict[str, Any]:
    """Read and compare; a file that cannot be read is `refused`, with the reason."""
    import_id, round_ = UUID(task.args["import_id"]), task.args["round"]
    actor = task.actor()
    with task.database.reading() as db:
        made = load(db, import_id)
        if made.round != round_:
            return {"import_id": str(import_id), "superseded": True}
        unit = unit_of(db, made.unit_id)
        kind = kind_of(made.kind)
        if not actor.covers(kind.right, unit):
            raise not_found()
        try:
            preview = _Preview(task, actor, made, unit)
            summary = preview.run(db)
        except Problem as problem:
            _refuse(task.database, made, problem)
            raise
        except (OperationalError, PoolTimeout):
            raise  # tried again
        except Exception:
            # Whatever in it we stumbled over: it is not left waiting for ever.
            _refuse(task.database, made, Problem("internal"))
            raise
    return {"import_id": str(import_id), "superseded": summary is None} | _told(import_id, summary)


def _told(import_id: UUID, summary: Mapping[str, int] | None) -> dict[str, Any]:
    address = f"/v1/imports/{import_id}"
    return {
        "summary": summary,
        "rows_url": f"{address}/rows",
        "workbook_url": f"{address}/file",
        "errors_only_url": f"{address}/errors-file",
    }


def _refuse(database: Database, made: Any, problem: Problem) -> None:
    with database.writing() as session:
        _change(session, made, state=ImportState.refused, problem=jobs.both_languages(problem))


def _change(session: Session, made: Any, **values: Any) -> bool:
    """False when another preview has begun meanwhile."""
    changed = session.connection().execute(
        sa.update(Import)
        .where(col(Import.id) == made.id, col(Import.round) == made.round)
        .values(revision=col(Import.revision) + 1, updated_at=utc_now(), **values)
    )
    return changed.rowcount > 0


class _Preview:
    def __init__(self, task: jobs.Task, actor: Actor, made: Any, unit: Unit) -> None:
        self.task = task
        self.actor = actor
        self.made = made
        self.unit = unit
        self.kind: KindOfList = kind_of(made.kind)

    def run(self, db: Db) -> dict[str, int] | None:
        """The counts by outcome; None when another preview has begun meanwhile."""
        content = store.file_of(db, self.made.id)
        limits = Limits(file_bytes=self.task.database.settings.import_max_bytes)
        table = reading.read(
            content,
            self.made.sheet,
            kind=self.kind.name,
            limits=limits,
            file_name=self.made.file_name,
        )
        del content
        total = len(table.rows)
        self.task.progress(0, total)
        names = [column.header for column in table.columns]
        recalled = memory.recall(db, self.made.unit_id, self.made.kind, names)
        fields = columns.assigned(table, self.kind.name, recalled.fields, self.made.mapping)
        found = _reading_of(table, fields, self.kind.name) | {"remembered": asdict(recalled)}
        given = self._given(db, table, fields, choices_of(self.made, found))
        frame = frame_of(self.made, self.unit, found)
        del table
        plans = self.kind.plan(db, self.actor, frame, given, store.earlier(self.made.kind))
        return self._put(given, plans, found, total)

    def _given(
        self, db: Db, table: Table, fields: Mapping[int, columns.Reading], chosen: Choices
    ) -> list[Given]:
        decided = _decisions(db, self.made.id, self.made.round)
        options = Options(
            first_day=chosen.options["first_day"],
            month_first=chosen.options["day_order"] == DayOrder.month_first,
        )
        mapping = {each.field: index for index, each in fields.items() if each.field is not None}
        given = []
        for taken in rows.take(table, mapping, self.kind.name, options):
            problems = [of_file(problem) for problem in taken.problems]
            row = Given(taken.number, taken.values, problems, taken.fingerprint)
            known = decided.get(taken.number)
            if known and store.digest(db, row.fingerprint) == known.digest:
                row.decision, row.accepted = known.decision, frozenset(known.accepted or ())
            given.append(row)
        return given

    def _put(
        self,
        given: Sequence[Given],
        plans: Sequence[RowPlan],
        found: Mapping[str, Any],
        total: int,
    ) -> dict[str, int] | None:
        import_id, round_ = self.made.id, self.made.round
        mine = sa.and_(col(ImportRow.import_id) == import_id, col(ImportRow.round) == round_)
        optional = headers.optional(self.kind.name)
        counted = tally.Tally()
        for made in plans:
            counted.update(tally.of_row(made.outcome, made.problems, optional))
        done = 0
        for batch in chunks(list(zip(given, plans, strict=True)), _BATCH):
            with self.task.database.writing() as session:
                if done == 0:  # begun before and broken off
                    session.execute(sa.delete(ImportRow).where(mine))
                lines = [
                    stored(session, import_id, round_, row, made, self.actor) for row, made in batch
                ]
                store.put(session, lines)
                done += len(batch)
                self.task.progress(min(done, total), total, session)
        with self.task.database.writing() as session:
            summary = store.counts(session, import_id, round_)
            current = _change(
                session,
                self.made,
                state=ImportState.ready,
                reading=store.text_of({**found, "tally": tally.kept(counted)}),
                summary=summary,
                problem=None,
            )
            if current:
                origin = self.task.origin(ChangeSource.import_, f"import {import_id}")
                changes.attribute(session, origin)
                memory.remember(session, self.actor.account_id, self.made, found)
            elsewhere.tell_if_used_up(session, self.actor)
            old = col(ImportRow.round) < round_ if current else col(ImportRow.round) == round_
            session.execute(sa.delete(ImportRow).where(col(ImportRow.import_id) == import_id, old))
        return summary if current else None


def _decisions(db: Db, import_id: UUID, round_: int) -> dict[int, Any]:
    """What somebody has decided of rows in earlier previews, the last by number."""
    statement: AnySelect = (
        sa.select(
            col(ImportRow.number),
            col(ImportRow.digest),
            col(ImportRow.decision),
            col(ImportRow.accepted),
        )
        .where(
            col(ImportRow.import_id) == import_id,
            col(ImportRow.round) < round_,
            sa.or_(col(ImportRow.decision).is_not(None), col(ImportRow.accepted).is_not(None)),
        )
        .order_by(col(ImportRow.round))
    )
    return {row.number: row for row in db.execute(statement)}


def stored(
    session: Session, import_id: UUID, round_: int, row: Given, made: RowPlan, actor: Actor
) -> dict[str, Any]:
    """A row as `import_row` keeps it."""
    content = {
        "values": row.values,
        "given": row.problems,
        "fingerprint": row.fingerprint,
        "problems": made.problems,
        "writes": made.writes,
        "candidates": made.candidates,
        "external_id": made.external_id,
        # Candidates are shown as far as the account that had the row compared may see them.
        "planned_by": str(actor.account_id),
    }
    return {
        "id": new_id(),
        "import_id": import_id,
        "round": round_,
        "number": row.number,
        "outcome": made.outcome,
        "unit_id": made.unit_id,
        "entity_id": made.entity_id,
        "entity_revision": made.entity_revision,
        "digest": store.digest(session, row.fingerprint),
        "content": store.text_of(content),
        "decision": row.decision,
        "accepted": sorted(row.accepted) or None,
    }


# -- columns


def _reading_of(table: Table, fields: Mapping[int, columns.Reading], kind: Kind) -> dict[str, Any]:
    shown_columns = [
        {
            "index": column.index,
            "letter": column.letter,
            "header": column.header,
            "encoding": column.encoding.value,
            "examples": list(column.examples),
            **_read_as(fields.get(column.index)),
        }
        for column in table.columns
        if not column.ours
    ]
    shown = ("name", "rows", "columns", "visible")
    notes = [
        *table.notes,
        *rows.notes_on(table, {each.field for each in fields.values() if each.field}, kind),
        *columns.notes_on(table, fields, kind),
    ]
    return {
        "file_kind": table.kind.value,
        "sheet": table.sheet,
        "header_row": table.header_row or None,
        "lists": places.as_json(table),
        "sheets": [{name: getattr(sheet, name) for name in shown} for sheet in table.sheets],
        "columns": shown_columns,
        "rows_read": len(table.rows),
        "rows_left_out": [
            {"reason": each.reason.value, "sheet": each.sheet, "count": len(each.rows)}
            | {"rows": each.rows[:_MOST_NUMBERS]}
            for each in table.left_out
        ],
        "notes": [
            {"code": note.code, "params": dict(note.params), "sheet": note.sheet} for note in notes
        ],
    }


def _read_as(column: columns.Reading | None) -> dict[str, str | None]:
    if column is None:
        return {"field": None, "why": None, "instead_of": None}
    return {"field": column.field, "why": column.why, "instead_of": column.instead_of}


def frame_of(made: Any, unit: Unit, found: Mapping[str, Any]) -> Frame:
    """What all rows share; `found` is what the import's reading says."""
    chosen = choices_of(made, found)
    options, left_out = chosen.options, chosen.options["leave_out"]
    return Frame(
        unit=unit,
        columns=dict(_placed(found.get("columns", []))),
        duplicates=Duplicates(options["duplicates"]),
        empty_cells=EmptyCells(options["empty_cells"]),
        accept=frozenset(options["accept"]),
        leave_out=WithoutCells(
            frozenset(left_out["fields"]),
            frozenset(left_out["codes"]),
            headers.optional(kind_of(made.kind).name),
        ),
        meanings={
            field: {spoken(text): meant for text, meant in said.items()}
            for field, said in chosen.meanings.items()
        },
    )


def _placed(columns: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, str]]]:
    for column in columns:
        if column["field"] is not None:
            yield column["field"], (column["letter"], column["header"])
