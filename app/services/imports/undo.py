"""Undoing an import, while nobody has touched what it wrote."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import AnySelect, chunks
from app.errors import FieldError, Problem
from app.models.imports.imports import WRITES, Import, ImportState, RowOutcome
from app.models.imports.rows import ImportRow
from app.problem_texts import FieldCode
from app.services.external_ids import records
from app.services.imports.apply import ref_of, writing
from app.services.imports.kinds import kind_of
from app.services.imports.places import Places
from app.services.imports.preview import load
from app.services.kernel import jobs
from app.services.kernel.access import Db
from app.services.kernel.keyset import Key, Order
from app.services.kernel.list_kinds import Done

_TOLD = 100


def _undoable(import_id: UUID, round_: int) -> AnySelect:
    return sa.select(
        col(ImportRow.id),
        col(ImportRow.number),
        col(ImportRow.outcome),
        col(ImportRow.entity_id),
        col(ImportRow.entity_revision),
    ).where(
        col(ImportRow.import_id) == import_id,
        col(ImportRow.round) == round_,
        col(ImportRow.outcome).in_(WRITES),
        col(ImportRow.done_at).is_not(None),
        col(ImportRow.undone_at).is_(None),
    )


_BY_NUMBER = Order(col(ImportRow.number))


def ensure_untouched(db: Db, made: Import) -> None:
    """409 with the rows whose records have changed since."""
    rows = db.execute(_undoable(made.id, made.round).order_by(col(ImportRow.number))).all()
    done = [Done(r.number, r.outcome, r.entity_id, r.entity_revision, "") for r in rows]
    found = kind_of(made.kind).obstacles(db, done)
    if not found:
        return
    of, places = {row.number: row for row in rows}, Places(made)
    told = [_obstacle(of[number], code, places) for number, code in sorted(found.items())[:_TOLD]]
    raise Problem("import_touched", count=len(found), extra={"obstacles": told})


def _obstacle(row: Any, code: FieldCode, places: Places) -> dict[str, Any]:
    sheet, place = places.place(row.number)
    said = {
        f"text_{language}": FieldError("body", "", code).render(language)["detail"]
        for language in ("vi", "en")
    }
    where = {"number": row.number, "sheet": sheet, "row": place}
    return {**where, "entity_id": str(row.entity_id), "code": code, **said}


def run(task: jobs.Task) -> dict[str, Any]:
    """Undo set by set; records changed in the meantime are left alone, and reported."""
    import_id = UUID(task.args["import_id"])
    with task.database.reading() as db:
        made = load(db, import_id)
    kind, actor = kind_of(made.kind), task.actor()
    places = Places(made)
    total = sum((made.summary or {}).get(outcome.value, 0) for outcome in WRITES)
    walk = _BY_NUMBER.walk(_undoable(import_id, made.round).with_for_update())
    after: Key | None = None
    undone, left = 0, 0
    while True:
        with writing(task, made) as session:
            rows = session.execute(walk(after, kind.at_once)).all()
            if not rows:
                break
            done = [
                Done(
                    r.number,
                    r.outcome,
                    r.entity_id,
                    r.entity_revision,
                    ref_of(made, places, r.number),
                )
                for r in rows
            ]
            kind.hold(session, sorted({each.entity_id for each in done}))
            found = kind.obstacles(session, done)
            free = [each for each in done if each.number not in found]
            made_here = [each.entity_id for each in free if each.outcome is RowOutcome.created]
            records.take_back(session, kind.entity, import_id, made_here)
            kind.take_back(session, actor, free)
            _mark(session, [row.id for row in rows if row.number not in found])
            undone, left = undone + len(free), left + len(found)
            after = _BY_NUMBER.key(rows[-1])
            task.progress(min(undone, total), total, session)
    _end(task, made, kind.entity, left)
    return {"import_id": str(import_id), "undone": undone, "left": left}


def _mark(session: Any, row_ids: Sequence[UUID]) -> None:
    now = utc_now()
    for chunk in chunks(row_ids):
        session.execute(
            sa.update(ImportRow).where(col(ImportRow.id).in_(chunk)).values(undone_at=now)
        )


def _end(task: jobs.Task, made: Any, entity: str, left: int) -> None:
    import_id, now = made.id, utc_now()
    with writing(task, made) as session:
        kept = session.execute(_undoable(import_id, made.round)).all()
        besides = [row.entity_id for row in kept]
        records.take_back(session, entity, import_id, besides=besides)
    state = ImportState.applied if left else ImportState.undone
    with task.database.writing() as session:
        same = sa.and_(col(ImportRow.import_id) == import_id, col(ImportRow.undone_at).is_(None))
        if not left:
            session.execute(sa.update(ImportRow).where(same).values(undone_at=now))
        session.execute(
            sa.update(Import)
            .where(col(Import.id) == import_id)
            .values(
                state=state,
                undone_at=None if left else now,
                revision=col(Import.revision) + 1,
                updated_at=now,
            )
        )
