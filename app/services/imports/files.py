"""Files that an import gives back: theirs with a verdict on each row, the rows in error, a template."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.errors import Problem
from app.models.imports.imports import ImportState
from app.models.imports.rows import ImportRow
from app.services.imports import store
from app.services.imports.kinds import as_cell, kind_of, texts
from app.services.imports.lists import find_open
from app.services.imports.places import Places
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.list_kinds import Json, KindOfList
from app.workbooks import reading, template, writing
from app.workbooks.said import RowVerdict
from app.workbooks.tables import Limits, Table


def workbook(db: Db, actor: Actor, import_id: UUID, limits: Limits) -> tuple[str, bytes]:
    """Their own workbook, and what became of each row; its name and its bytes."""
    made, kind, table, verdicts = _verdicts(db, actor, import_id, limits)
    applied = made.state in (ImportState.applied, ImportState.applying)
    source = store.file_of(db, import_id)

    def write(target: Path) -> None:
        writing.write_back(source, table, kind.name, verdicts, target, applied=applied)

    return _named(made, "ket-qua"), _written(write)


def errors_only(db: Db, actor: Actor, import_id: UUID, limits: Limits) -> tuple[str, bytes]:
    """The rows in error alone, under the same header."""
    made, kind, table, verdicts = _verdicts(db, actor, import_id, limits)

    def write(target: Path) -> None:
        writing.write_errors(table, kind.name, verdicts, target)

    return _named(made, "loi"), _written(write)


def empty(db: Db, actor: Actor, kind: str) -> tuple[str, bytes]:
    """The template of a kind of list, for who may import it somewhere."""
    of_list = kind_of(kind)
    require_somewhere(db, actor, of_list.right)

    def write(target: Path) -> None:
        template.write(of_list.name, target)

    return f"mau-{kind}.xlsx", _written(write)


def _named(made: Any, what: str) -> str:
    return f"{Path(made.file_name).stem[:80]}-{what}.xlsx"


def _written(write: Callable[[Path], Any]) -> bytes:
    # Of its owner alone, and gone before the answer leaves.
    with TemporaryDirectory(prefix="hoiso-import-") as folder:
        target = Path(folder) / "file.xlsx"
        write(target)
        return target.read_bytes()


def _verdicts(
    db: Db, actor: Actor, import_id: UUID, limits: Limits
) -> tuple[Any, KindOfList, Table, dict[int, RowVerdict]]:
    made = find_open(db, actor, import_id)
    kind = kind_of(made.kind)
    if made.forgotten_at is not None:
        raise Problem("import_forgotten")
    if made.summary is None:
        raise Problem("import_not_ready", state=made.state)
    found = store.content_of(made.reading)
    content = store.file_of(db, import_id)
    table = reading.read(
        content, made.sheet, kind=kind.name, limits=limits, file_name=made.file_name
    )
    index = {column["letter"]: column["index"] for column in found["columns"]}
    statement: AnySelect = sa.select(
        col(ImportRow.number),
        col(ImportRow.outcome),
        col(ImportRow.entity_id),
        col(ImportRow.entity_revision),
        col(ImportRow.done_at),
        col(ImportRow.content),
    ).where(col(ImportRow.import_id) == import_id, col(ImportRow.round) == made.round)
    places = Places(made)
    verdicts = {row.number: _verdict(actor, row, index, places) for row in db.execute(statement)}
    return made, kind, table, verdicts


def _verdict(actor: Actor, row: Any, index: Mapping[str, int], places: Places) -> RowVerdict:
    content = store.content_of(row.content)
    found = content.get("problems", [])
    problems = [
        as_cell(
            places.shown(row.number, each),
            index.get(each["letter"] or ""),
            each["header"] or each["field"],
        )
        for each in found
        if each["level"] == "error"
    ]
    # A warning is no error: it is shown beside the row, and marks no cell.
    doubts = [
        _doubt(places.shown(row.number, each)) for each in found if each["level"] == "warning"
    ]
    exists = row.entity_revision is not None or row.done_at is not None
    entity = str(row.entity_id) if row.entity_id is not None and exists else None
    known = [_told(each) for each in store.candidates_for(actor, content)]
    return RowVerdict(row.outcome.value, entity, problems, "\n".join([*doubts, *known]) or None)


def _doubt(problem: Json) -> str:
    named = problem["header"] or problem["field"]
    said = texts(problem)
    left_out = "Ô này không được ghi." if problem.get("left_out") else None
    return " ".join(filter(None, [f"{named}: {said['text_vi']}", left_out, said["hint_vi"]]))


def _told(candidate: Mapping[str, Any]) -> str:
    unit = candidate["unit"]["name"]
    if candidate["masked"]:
        return f"Có thể đã có hồ sơ ở {unit}: hỏi đơn vị đó"
    known = candidate.get("household_id") or candidate["member_id"]
    return f"Có thể là {candidate['full_name']} ({unit}), mã {known}"
