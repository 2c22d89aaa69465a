"""What other systems call the records of a list: rows are known by it, and records get it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.models.imports.imports import RowOutcome
from app.models.kernel.external_ids import parts
from app.problem_texts import FieldCode
from app.services.external_ids import records
from app.services.external_ids.records import Naming
from app.services.imports.kinds import wrong
from app.services.kernel.access import Db
from app.services.kernel.list_kinds import Given, Json, KindOfList, RowPlan, RowsDue

FIELD = "external_id"
_ATTACHES = (RowOutcome.created, RowOutcome.updated, RowOutcome.same)


class ExternalNames:
    """The rows that say an identifier of another system.

    A row without an id of ours is of the record that has it, which is looked up as its id is. Where no
    record has it, the record of the row gets it.
    """

    def __init__(self, db: Db, entity: str | None, rows: Sequence[Given]) -> None:
        self.db = db
        self.new: dict[int, str] = {}
        self.wrong: dict[int, FieldCode] = {}
        self.known: set[int] = set()
        if entity is None:
            return
        told = {row.number: text for row in rows if (text := row.values.get(FIELD))}
        read = {number: parts(text) for number, text in told.items()}
        self.wrong = {number: "external_id_form" for number, found in read.items() if not found}
        written = {number: "|".join(found) for number, found in read.items() if found}
        on_record = records.find(db, entity, written.values()) if written else {}
        codes: dict[str, FieldCode | None] = {
            each: records.objection(db, each) for each in {*written.values()} - on_record.keys()
        }
        for row in rows:
            text = written.get(row.number)
            if text is None:
                continue
            record_id, said = on_record.get(text), row.values.get("id")
            if record_id is None:
                if (code := codes[text]) is not None:
                    self.wrong[row.number] = code
                self.new[row.number] = text
            elif said is None:
                row.values["id"] = str(record_id)
                self.known.add(row.number)
            elif said != str(record_id):
                self.wrong[row.number] = "external_id_taken_by_other"

    def __contains__(self, number: int) -> bool:
        """The row is known by the identifier alone."""
        return number in self.known

    def begin(self, row: Given, made: RowPlan) -> None:
        made.external_id = self.new.get(row.number)
        code: FieldCode | None = self.wrong.get(row.number)
        if code is not None:
            made.problems.append(wrong(code, FIELD, written=str(row.values[FIELD])))

    def end(self, row: Given, made: RowPlan) -> None:
        """What is wrong with the record is wrong with what the row calls it."""
        if row.number in self.known:
            made.problems = [
                {**each, "field": FIELD, "written": row.values[FIELD]}
                if each["field"] == "id"
                else each
                for each in made.problems
            ]

    def compare(self, pairs: Iterable[tuple[Given, RowPlan]]) -> None:
        """Of rows with one identifier that is new the first has it."""
        met: set[str] = set()
        for _, made in pairs:
            if made.external_id is None or made.outcome not in _ATTACHES:
                continue
            if made.external_id in met:
                made.problems.append(wrong("external_id_taken_by_other", FIELD))
            met.add(made.external_id)


def write(
    session: Session,
    kind: KindOfList,
    named: Mapping[int, str],
    rows: Sequence[RowsDue],
    write_rows: Callable[[Sequence[RowsDue]], Mapping[int, Json]],
    import_id: UUID,
) -> dict[int, Json]:
    """Write due rows, and what other systems call their records (by number); those refused, by number."""
    if not named:
        return dict(write_rows(rows))
    taken = records.find(session, kind.entity, named.values())
    refused: dict[int, Json] = {
        row.number: wrong("external_id_taken_by_other", FIELD, written=named[row.number])
        for row in rows
        if row.number in named and taken.get(named[row.number], row.entity_id) != row.entity_id
    }
    refused |= write_rows([row for row in rows if row.number not in refused])
    namings = [
        Naming(row.entity_id, named[row.number], row.ref)
        for row in rows
        if row.number in named and row.number not in refused
    ]
    records.name_many(session, kind.entity, namings, import_id)
    return refused


def name(session: Session, entity: str, namings: Sequence[Naming], import_id: Any) -> None:
    """Those of records that stay as they are; one that another record has by now is left to it."""
    taken = records.find(session, entity, [each.external_id for each in namings])
    free = [e for e in namings if taken.get(e.external_id, e.record_id) == e.record_id]
    records.name_many(session, entity, free, import_id)
