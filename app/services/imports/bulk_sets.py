"""The sets of a batch as they are kept: known again, locked, counted, settled, read."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import AnySelect, Database
from app.errors import Problem
from app.models.imports.bulk import LINES, BulkOutcome, BulkSet
from app.models.imports.imports import Import, ImportState, RowOutcome
from app.models.imports.rows import ImportRow
from app.services.imports import verdicts
from app.services.kernel.access import Db
from app.services.kernel.list_kinds import KindOfList


def digests(database: Database, lines: Sequence[tuple[int, bytes | None]]) -> list[str]:
    """Of the lines, under each data key, the first one first: nobody tries out what they say."""
    seeds = database.settings.vault().seeds_for("bulk_set")
    made = [blake2b(digest_size=16, key=seed) for seed in seeds]
    for number, line in lines:
        for each in made:
            each.update(b"%d %d " % (number, -1 if line is None else len(line)))
            each.update(line or b"")
    return [each.hexdigest() for each in made]


def ensure_same(kept: Any, given: Sequence[str], *, is_last: bool) -> None:
    if kept.digest not in given or kept.is_last != is_last:
        raise Problem("bulk_chunk_differs")


def of_chunk(db: Db, import_id: UUID, chunk: int) -> list[Any]:
    """The sets of a chunk that are done, in their order, without what they answered."""
    names = ("id", "number", "digest", "is_last", "settled")
    statement: AnySelect = (
        sa.select(*(getattr(BulkSet, name) for name in names))
        .where(col(BulkSet.import_id) == import_id, col(BulkSet.chunk) == chunk)
        .order_by(col(BulkSet.number))
    )
    return list(db.execute(statement))


def found(session: Session, made: BulkSet) -> Any:
    done = of_chunk(session, made.import_id, made.chunk)
    return next((each for each in done if each.number == made.number), None)


def ensure_open(batch: Import) -> None:
    if batch.state is not ImportState.applied:
        raise Problem("bulk_batch_closed", state=batch.state)
    if batch.forgotten_at is not None:
        raise Problem("import_forgotten")


def locked(session: Session, import_id: UUID) -> Import:
    """The batch: its sets are written one after the other, and none while it is undone."""
    batch = session.exec(
        select(Import).where(col(Import.id) == import_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    ensure_open(batch)
    return batch


def put(
    session: Session, batch: Import, row: Mapping[str, Any], counted: Mapping[RowOutcome, int]
) -> None:
    session.execute(sa.insert(BulkSet), [dict(row)])
    before = batch.summary or {}
    batch.summary = {o.value: before.get(o.value, 0) + counted[o] for o in RowOutcome}
    batch.revision += 1
    batch.updated_at = utc_now()
    session.flush()


def settle(database: Database, kind: KindOfList, set_ids: Sequence[UUID]) -> None:
    """After the commit: who of the new records may be twice on record. Once, whatever was killed when."""
    with database.reading() as db:
        names = ("id", "import_id", "chunk", "first_line", "lines")
        due = db.execute(
            sa.select(*(getattr(BulkSet, name) for name in names)).where(
                col(BulkSet.id).in_(set_ids), ~col(BulkSet.settled)
            )
        ).all()
        ids = [each for row in due for each in _created(db, row)]
    if ids:
        kind.finish(database, ids)
    if due:
        with database.writing() as session:
            done = col(BulkSet.id).in_([row.id for row in due])
            session.execute(sa.update(BulkSet).where(done).values(settled=True))


def _created(db: Db, row: Any) -> list[UUID]:
    first = row.chunk * LINES + row.first_line
    created = sa.select(col(ImportRow.entity_id)).where(
        col(ImportRow.import_id) == row.import_id,
        col(ImportRow.round) == 1,
        col(ImportRow.number).between(first, first + row.lines - 1),
        col(ImportRow.outcome) == RowOutcome.created,
    )
    return [each for each in db.execute(created).scalars() if each is not None]


# -- answers


def answer(database: Database, import_id: UUID, chunk: int) -> Iterator[bytes]:
    """The verdicts of a chunk, a set at a time, and its sum; 409 once they were deleted."""
    with database.reading() as db:
        sets = of_chunk(db, import_id, chunk)
    for each in sets:
        yield _verdicts(database, each.id)
    with database.reading() as db:
        yield verdicts.summary(_summed(db, import_id, chunk, is_done=_is_done(sets)))


def ensure_kept(db: Db, import_id: UUID) -> None:
    gone = sa.select(col(Import.forgotten_at)).where(col(Import.id) == import_id)
    if db.execute(gone).scalar_one() is not None:
        raise Problem("import_forgotten")


def _is_done(sets: Sequence[Any]) -> bool:
    return bool(sets) and bool(sets[-1].is_last)


def _verdicts(database: Database, set_id: UUID) -> bytes:
    with database.reading() as db:
        statement = sa.select(col(BulkSet.verdicts)).where(col(BulkSet.id) == set_id)
        packed = db.execute(statement).scalar_one_or_none()
    return verdicts.unpacked(packed) if packed else b""


def _summed(db: Db, import_id: UUID, chunk: int, *, is_done: bool) -> dict[str, Any]:
    first = chunk * LINES
    statement: AnySelect = (
        sa.select(col(ImportRow.outcome), sa.func.count().label("n"))
        .where(
            col(ImportRow.import_id) == import_id,
            col(ImportRow.number).between(first, first + LINES - 1),
        )
        .group_by(col(ImportRow.outcome))
    )
    counted = {row.outcome: row.n for row in db.execute(statement)}
    batch = db.execute(sa.select(col(Import.batch)).where(col(Import.id) == import_id)).scalar_one()
    by_verdict = dict.fromkeys((each.value for each in BulkOutcome), 0)
    for outcome, count in counted.items():
        by_verdict[verdicts.OF[outcome].value] += count
    return {
        "done": is_done,
        "import_id": import_id,
        "batch": batch,
        "chunk": chunk,
        "lines": sum(by_verdict.values()),
        **by_verdict,
    }
