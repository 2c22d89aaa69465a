"""The rows of an import: what each would do, what is wrong with it, and decisions about one."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.imports.imports import WRITES, Import, ImportState, RowDecision, RowOutcome
from app.models.imports.rows import ImportRow, RowCandidate, RowQuery, RowUpdate
from app.models.kernel.access import Right
from app.services.imports import store, tally
from app.services.imports.kinds import kind_of, texts, wrong
from app.services.imports.lists import find_open
from app.services.imports.places import Places
from app.services.imports.preview import frame_of, stored
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.list_kinds import Given, Json, KindOfList, RowPlan
from app.services.units.rows import unit_of
from app.workbooks import headers

_COLUMNS = [
    getattr(ImportRow, name)
    for name in (
        *("id", "number", "outcome", "unit_id", "entity_id", "entity_revision"),
        *("content", "decision", "accepted", "done_at"),
    )
]


def list_rows(db: Db, actor: Actor, import_id: UUID, query: RowQuery) -> Pages:
    """In the order of the file."""
    made = find_open(db, actor, import_id)
    statement: AnySelect = sa.select(*_COLUMNS).where(
        col(ImportRow.import_id) == import_id, col(ImportRow.round) == made.round
    )
    if query.outcome is not None:
        statement = statement.where(col(ImportRow.outcome) == query.outcome)
    if query.unit is not None:
        statement = statement.where(col(ImportRow.unit_id) == query.unit)
    places = Places(made)
    return pages(
        statement, Order(col(ImportRow.number)), each(lambda row: _read(row, actor, made, places))
    )


def _read(row: Any, actor: Actor, made: Any, places: Places) -> dict[str, Any]:
    """A row of the import `made` as RowRead."""
    kind = kind_of(made.kind)
    content = store.content_of(row.content)
    problems, values = content.get("problems", []), content.get("values", {})
    exists = row.entity_revision is not None or row.done_at is not None
    sheet, place = places.place(row.number)
    return {
        "entity": kind.entity,
        "number": row.number,
        "sheet": sheet,
        "row": place,
        "outcome": row.outcome,
        "unit_id": row.unit_id,
        "entity_id": row.entity_id if exists else None,
        "name": values.get("full_name") or values.get("head_name"),
        "changed": sorted(content.get("writes", {})) if row.outcome in WRITES else [],
        "values": {
            name: value if _may_see(actor, made, kind.masks.get(name)) else None
            for name, value in content.get("writes", {}).items()
        },
        "problems": [_problem(places.shown(row.number, each)) for each in problems],
        "candidates": [
            {name: each.get(name) for name in RowCandidate.model_fields}
            for each in store.candidates_for(actor, content)
        ],
        "decision": row.decision,
        "accepted": row.accepted or [],
        "done": row.done_at is not None,
    }


def _may_see(actor: Actor, made: Any, right: Right | None) -> bool:
    return right is None or actor.covers(right, made)


def _problem(problem: Json) -> dict[str, Any]:
    return {
        "level": problem["level"],
        "field": problem["field"],
        "column": problem["letter"],
        "header": problem["header"],
        "value": problem["written"] or None,
        "code": problem["code"],
        **texts(problem),
        "proposal": problem["proposal"],
        "left_out": problem.get("left_out", False),
    }


def decide(
    session: Session, actor: Actor, import_id: UUID, number: int, body: RowUpdate
) -> dict[str, Any]:
    """Accept proposals of one row, or decide on its duplicate; the row is compared anew."""
    made = find_open(session, actor, import_id)
    if made.forgotten_at is not None:
        raise Problem("import_forgotten")
    # One after another, and not while it is applied.
    locked = session.execute(
        sa.select(col(Import.state), col(Import.round), col(Import.reading))
        .where(col(Import.id) == import_id)
        .with_for_update()
    ).one()
    if locked.state is not ImportState.ready:
        raise Problem("import_not_editable", state=locked.state)
    statement: AnySelect = sa.select(*_COLUMNS).where(
        col(ImportRow.import_id) == import_id,
        col(ImportRow.round) == locked.round,
        col(ImportRow.number) == number,
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    given = _given(row, body)
    found = store.content_of(locked.reading)
    frame = frame_of(made, unit_of(session, made.unit_id), found)
    kind = kind_of(made.kind)
    rows = _with_others(session, import_id, locked.round, given) if kind.together else [given]
    plans = kind.plan(session, actor, frame, rows, store.earlier(made.kind))
    plan = plans[rows.index(given)]
    _keep_repeated(session, import_id, locked.round, row, given, plan)
    values = stored(session, import_id, locked.round, given, plan, actor) | {"id": row.id}
    session.execute(sa.update(ImportRow).where(col(ImportRow.id) == row.id).values(values))
    session.execute(
        sa.update(Import)
        .where(col(Import.id) == import_id)
        .values(
            summary=store.counts(session, import_id, locked.round),
            reading=store.text_of(found | {"tally": _counted(found, row, plan, kind)}),
            revision=col(Import.revision) + 1,
            updated_at=utc_now(),
        )
    )
    now = session.execute(statement).one()
    return _read(now, actor, made, Places(made))


def _with_others(session: Session, import_id: UUID, round_: int, given: Given) -> list[Given]:
    """All rows of the file: what one would do depends on the others."""
    statement: AnySelect = (
        sa.select(*_COLUMNS)
        .where(col(ImportRow.import_id) == import_id, col(ImportRow.round) == round_)
        .order_by(col(ImportRow.number))
    )
    return [
        given if row.number == given.number else _given(row, RowUpdate())
        for row in session.execute(statement)
    ]


def _counted(found: Json, row: Any, plan: RowPlan, kind: KindOfList) -> list[list[Any]]:
    """What is wrong with all rows, once this one is as planned."""
    optional = headers.optional(kind.name)
    before = store.content_of(row.content)["problems"]
    counted = tally.read(found.get("tally", ()))
    counted.subtract(tally.of_row(row.outcome, before, optional))
    counted.update(tally.of_row(plan.outcome, plan.problems, optional))
    return tally.kept(counted)


_REPEATED = ("row_repeated", "row_id_repeated")


def _keep_repeated(
    session: Session, import_id: UUID, round_: int, row: Any, given: Given, plan: RowPlan
) -> None:
    """Compared alone, a row does not see another row with the same person."""
    before = store.content_of(row.content)["problems"]
    repeated = [each for each in before if each["code"] in _REPEATED]
    if given.decision is RowDecision.create:
        repeated = [each for each in repeated if each["code"] == "row_id_repeated"]
    if not repeated and plan.outcome is RowOutcome.updated:
        other = session.execute(
            sa.select(col(ImportRow.number)).where(
                col(ImportRow.import_id) == import_id,
                col(ImportRow.round) == round_,
                col(ImportRow.entity_id) == plan.entity_id,
                col(ImportRow.outcome) == RowOutcome.updated,
                col(ImportRow.number) != row.number,
            )
        ).scalars()
        repeated = [
            wrong("row_repeated", "full_name", level="warning", row=number)
            for number in list(other)[:1]
        ]
    if repeated and plan.outcome in WRITES:
        plan.problems += [each for each in repeated if each not in plan.problems]
        is_id = any(each["code"] == "row_id_repeated" for each in repeated)
        plan.outcome = RowOutcome.error if is_id else RowOutcome.duplicate


def _given(row: Any, body: RowUpdate) -> Given:
    content = store.content_of(row.content)
    sent = body.model_dump(exclude_unset=True)
    decision = sent.get("decision", row.decision)
    accepted = frozenset(sent.get("accept", row.accepted or ()))
    proposed = {
        each["field"] for each in (*content["given"], *content["problems"]) if each["proposal"]
    }
    before = frozenset(row.accepted or ())
    for place, name in enumerate(sent.get("accept", ())):
        if name not in proposed | before:
            raise invalid("nothing_proposed", f"/accept/{place}")
    return Given(
        number=row.number,
        values=content["values"],
        problems=content["given"],
        fingerprint=content["fingerprint"],
        decision=None if decision is None else RowDecision(decision),
        accepted=accepted,
    )
