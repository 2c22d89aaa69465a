"""The files of imports and their rows, as they are kept: sealed, and for a time only."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, Database, chunks, insert_many, vault_of
from app.errors import Problem
from app.models.base import new_id
from app.models.imports.bulk import BulkSet
from app.models.imports.imports import Import, ImportPart, ImportState, RowOutcome
from app.models.imports.rows import ImportRow
from app.services.kernel.access import Actor, Db
from app.services.kernel.holdings import Forgotten, Person
from app.services.kernel.list_kinds import Earlier
from app.services.units.followers import Concerned, count_of

_PART_BYTES = 384 * 1024
_PURPOSE = "import_row"
_UNTOLD = "…"
_AT_WORK = (ImportState.reading, ImportState.applying, ImportState.undoing)


# -- the file


def keep(session: Session, import_id: UUID, content: bytes) -> None:
    """Store a file in pieces, each sealed."""
    parts = range(0, len(content), _PART_BYTES)
    for number, start in enumerate(parts):
        piece = b64encode(content[start : start + _PART_BYTES]).decode()
        row = {"id": new_id(), "import_id": import_id, "number": number, "content": piece}
        session.connection().execute(sa.insert(ImportPart), row)


def file_of(db: Db, import_id: UUID) -> bytes:
    """The file as it came; 409 when its time is over."""
    statement = (
        sa.select(col(ImportPart.content))
        .where(col(ImportPart.import_id) == import_id)
        .order_by(col(ImportPart.number))
    )
    parts = [part for part in db.execute(statement).scalars() if part is not None]
    if not parts:
        raise Problem("import_forgotten")
    return b"".join(map(b64decode, parts))


# -- its rows


def digest(db: Db, fingerprint: str) -> int:
    """The keyed digest that recognises a row in a later file; it does not reveal the contents."""
    return vault_of(db).digest(fingerprint, _PURPOSE)


def resealed(session: Session, _: UUID, opened: Mapping[str, Any]) -> Mapping[str, Any]:
    """The digest of a row follows the key that its content is sealed with."""
    fingerprint = content_of(opened["content"])["fingerprint"]
    return {"digest": vault_of(session).digest(fingerprint, _PURPOSE)}


def content_of(text: str | None) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(text) if text else {}
    return found


def candidates_for(actor: Actor, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The candidates of a row, as far as the account that had it compared may see them."""
    hers = content.get("planned_by") == str(actor.account_id)
    return list(content.get("candidates", [])) if hers else []


def text_of(content: Mapping[str, Any]) -> str:
    return orjson.dumps(content).decode()


def put(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    for chunk in chunks(rows):
        insert_many(session, ImportRow, chunk)


def earlier(kind: str) -> Earlier:
    """Return the records that the very same rows of a kind of list led to before."""

    def ask(db: Db, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], tuple[UUID, bool]]:
        vault = vault_of(db)
        of: dict[tuple[int, int], tuple[int, str]] = {}
        for unit_id, fingerprint in keys:
            for each in vault.digests(fingerprint, _PURPOSE):
                of[unit_id, each] = (unit_id, fingerprint)
        met: dict[tuple[int, str], tuple[UUID, Any]] = {}
        wanted = sorted({each for _, each in of})
        for chunk in chunks(wanted):
            for row in db.execute(_known_rows(kind, chunk)):
                key = of.get((row.unit_id, row.digest))
                if key is not None and (key not in met or met[key][1] < row.done_at):
                    met[key] = (row.entity_id, row.done_at)
        last = _last_done(db, {entity_id for entity_id, _ in met.values()})
        return {key: (entity, last[entity] <= at) for key, (entity, at) in met.items()}

    return ask


def _known_rows(kind: str, digests: Sequence[int]) -> AnySelect:
    return (
        sa.select(
            col(ImportRow.digest),
            col(ImportRow.unit_id),
            col(ImportRow.entity_id),
            col(ImportRow.done_at),
        )
        .join(Import, col(Import.id) == col(ImportRow.import_id))
        .where(
            col(ImportRow.digest).in_(digests),
            col(ImportRow.done_at).is_not(None),
            col(ImportRow.undone_at).is_(None),
            col(ImportRow.entity_id).is_not(None),
            col(Import.kind) == kind,
        )
    )


def _last_done(db: Db, entity_ids: Iterable[UUID]) -> dict[UUID, Any]:
    """When an import last had to do with each record."""
    wanted = sorted(entity_ids)
    found: dict[UUID, Any] = {}
    for chunk in chunks(wanted):
        entity = col(ImportRow.entity_id)
        statement: AnySelect = (
            sa.select(entity, sa.func.max(col(ImportRow.done_at)).label("at"))
            .where(entity.in_(chunk), col(ImportRow.undone_at).is_(None))
            .group_by(entity)
        )
        found |= {row.entity_id: row.at for row in db.execute(statement)}
    return found


def taken_back(db: Db, entity_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these ids that an import gave to new records, and that were undone with it."""
    wanted = sorted(entity_ids)
    found: set[UUID] = set()
    for chunk in chunks(wanted):
        statement = sa.select(col(ImportRow.entity_id)).where(
            col(ImportRow.entity_id).in_(chunk),
            col(ImportRow.outcome) == RowOutcome.created,
            col(ImportRow.undone_at).is_not(None),
        )
        found |= {entity_id for entity_id in db.execute(statement).scalars() if entity_id}
    return found


def counts(db: Db, import_id: UUID, round_: int) -> dict[str, int]:
    """Rows by outcome."""
    statement: AnySelect = (
        sa.select(col(ImportRow.outcome), sa.func.count().label("n"))
        .where(col(ImportRow.import_id) == import_id, col(ImportRow.round) == round_)
        .group_by(col(ImportRow.outcome))
    )
    found = {row.outcome: row.n for row in db.execute(statement)}
    return {outcome.value: found.get(outcome, 0) for outcome in RowOutcome}


def counts_by_unit(db: Db, import_id: UUID, round_: int) -> dict[int | None, dict[str, int]]:
    """Rows by unit and outcome."""
    statement: AnySelect = (
        sa.select(col(ImportRow.unit_id), col(ImportRow.outcome), sa.func.count().label("n"))
        .where(col(ImportRow.import_id) == import_id, col(ImportRow.round) == round_)
        .group_by(col(ImportRow.unit_id), col(ImportRow.outcome))
    )
    found: dict[int | None, dict[str, int]] = {}
    for row in db.execute(statement):
        of = found.setdefault(row.unit_id, {outcome.value: 0 for outcome in RowOutcome})
        of[row.outcome.value] = row.n
    return found


# -- forgetting


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """Lists for units that close which are not applied: they cannot be any more."""
    waiting = col(Import.state).in_((ImportState.reading, ImportState.ready, ImportState.applying))
    kept = col(Import.forgotten_at).is_(None)
    return {"imports_waiting": count_of(db, Import.unit_id, concerned.closed, waiting, kept)}


def forget_old(database: Database) -> int:
    """Delete files and the contents of their rows after their retention; returns how many imports.

    The ids of created records stay, so that an old file sent again creates nothing twice.
    """
    limit = utc_now() - timedelta(days=database.settings.import_days)
    due: AnySelect = (
        sa.select(col(Import.id))
        .where(
            col(Import.updated_at) < limit,
            col(Import.forgotten_at).is_(None),
            col(Import.state).not_in((ImportState.applying, ImportState.undoing)),
        )
        .limit(20)
    )
    forgotten = 0
    while True:
        with database.writing() as session:
            ids = list(session.execute(due).scalars())
            for import_id in ids:
                forget(session, import_id)
        if not ids:
            return forgotten
        forgotten += len(ids)


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Delete every file that mentions one of these people: by an id, or by a name with its year of
    birth. The whole file and its name are deleted; what its rows did stays on record. Every stored
    row is opened for this: those of some months.
    """
    ids = {each for person in people for each in person.all_ids}
    named = [(name, year) for p in people for name in p.names for year in p.birth_years]
    spoken_of = _files_about(session, ids, named)
    connection = session.connection()
    parts = rows = 0
    for import_id in sorted(spoken_of):
        if spoken_of[import_id] in _AT_WORK:
            raise Problem("unavailable", retry_after=60)
        parts += _number(session, ImportPart, import_id)
        rows += _number(session, ImportRow, import_id)
        forget(session, import_id)
        connection.execute(
            sa.update(Import).where(col(Import.id) == import_id).values(file_name=_UNTOLD)
        )
    return {Import: len(spoken_of), ImportPart: parts, ImportRow: rows}


def _files_about(
    session: Session, ids: Set[UUID], people: Sequence[tuple[str, str]]
) -> dict[UUID, ImportState]:
    marks = [str(each) for each in ids]
    named = [(name.casefold(), year) for name, year in people]
    statement: AnySelect = (
        sa.select(
            col(Import.id), col(Import.state), col(ImportRow.entity_id), col(ImportRow.content)
        )
        .join(ImportRow, col(ImportRow.import_id) == col(Import.id))
        .where(col(Import.forgotten_at).is_(None))
        .order_by(col(Import.id))
        .execution_options(yield_per=1_000)
    )
    found: dict[UUID, ImportState] = {}
    for import_id, state, entity_id, content in session.execute(statement):
        if import_id in found:
            continue
        told = (content or "").casefold()
        if (
            entity_id in ids
            or any(mark in told for mark in marks)
            or any(name in told and year in told for name, year in named)
        ):
            found[import_id] = state
    return found


def _number(session: Session, model: type[Any], import_id: UUID) -> int:
    counted = sa.select(sa.func.count()).where(col(model.import_id) == import_id)
    return int(session.execute(counted).scalar_one())


def forget(session: Session, import_id: UUID) -> None:
    connection = session.connection()
    connection.execute(sa.delete(ImportPart).where(col(ImportPart.import_id) == import_id))
    connection.execute(
        sa.delete(ImportRow).where(
            col(ImportRow.import_id) == import_id, col(ImportRow.done_at).is_(None)
        )
    )
    connection.execute(
        sa.update(ImportRow).where(col(ImportRow.import_id) == import_id).values(content=None)
    )
    connection.execute(
        sa.update(BulkSet).where(col(BulkSet.import_id) == import_id).values(verdicts=None)
    )
    connection.execute(
        sa.update(Import)
        .where(col(Import.id) == import_id)
        .values(forgotten_at=utc_now(), reading=None, meanings=None)
    )
