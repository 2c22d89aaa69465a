"""Erasure: what tells who a person was is wiped wherever it is, and no figure of a unit changes.

A dry run is the erasure itself, rolled back: it counts what would be done and not what we think.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import Database
from app.errors import Problem, not_found
from app.models.base import Uuid
from app.models.cadres.appointments import Appointment
from app.models.households.households import Household
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.kernel.jobs import JobKind
from app.models.kernel.sessions import AuthSession
from app.models.members.members import Member
from app.models.privacy.erasures import (
    Erasure,
    ErasureCause,
    ErasureCreate,
    ErasureQuery,
    ErasureRead,
    Fate,
    Obstacle,
)
from app.models.privacy.limits import LimitKind, ProcessingLimit
from app.models.privacy.requests import RequestState
from app.services.audit import history
from app.services.imports import store
from app.services.kernel import changes, export_log, idempotency, jobs
from app.services.kernel.access import Actor, Db, ensure, reach_of, require_somewhere, visible
from app.services.kernel.manifest import manifest
from app.services.members import merged, persons
from app.services.members import names as name_dictionary
from app.services.privacy import holdings, limits, requests
from app.services.privacy.holdings import HOLDINGS, PASSING, SCANNED, Holding
from app.services.units.units import find_filter
from app.text import sort_key

_CHUNK = 500
# A job does it within minutes; what is later than this is done by the housekeeping.
SWEPT_WITHIN = timedelta(hours=1)
Row = dict[str, Any]

# -- the person


@dataclass(frozen=True, slots=True)
class Person:
    """All a person is found by: her record, her accounts and their sessions, every name she had."""

    id: UUID
    # Of records that were merged into hers.
    former_ids: tuple[UUID, ...]
    account_ids: tuple[UUID, ...]
    # Those she heads.
    household_ids: tuple[UUID, ...]
    session_ids: tuple[UUID, ...]
    names: frozenset[str]
    birth_years: frozenset[str]

    @property
    def all_ids(self) -> tuple[UUID, ...]:
        return (self.id, *self.former_ids)

    def ids(self, holding: Holding) -> tuple[UUID, ...]:
        if holding.of_account:
            return self.account_ids
        return self.household_ids if holding.of_household else self.all_ids


def find_person(session: Session, member_id: UUID, full_name: str, birth_date: str) -> Person:
    former_ids = merged.former_ids(session, member_id)
    ids = [str(each) for each in (member_id, *former_ids)]
    accounts = sa.select(col(Account.id)).where(col(Account.member_id) == member_id)
    account_ids = tuple(session.execute(accounts).scalars())
    sessions = sa.select(col(AuthSession.id)).where(col(AuthSession.account_id).in_(account_ids))
    logged = session.execute(
        sa.select(col(Change.before), col(Change.after)).where(
            col(Change.entity) == "member", col(Change.entity_id).in_(ids)
        )
    )
    sides = [side for row in logged for side in row if side]
    names = {side["full_name"] for side in sides if side.get("full_name")}
    born = {side["birth_date"][:4] for side in sides if side.get("birth_date")}
    return Person(
        id=member_id,
        former_ids=former_ids,
        account_ids=account_ids,
        household_ids=tuple(session.execute(households_of((member_id, *former_ids))).scalars()),
        session_ids=tuple(session.execute(sessions).scalars()),
        names=frozenset(names | {full_name}),
        birth_years=frozenset(born | {birth_date[:4]}),
    )


def households_of(ids: Sequence[UUID]) -> sa.Select[Any]:
    """The households that one of these people heads."""
    return sa.select(col(Household.id)).where(col(Household.head_id).in_(ids))


# -- wiping

_Done = Counter[tuple[str, Fate]]


def wipe(session: Session, person: Person) -> _Done:
    """Wipe a person out of every table but those that `scan` looks through; how many rows of
    which had which fate."""
    done: _Done = Counter()
    log: dict[str, set[str]] = {}
    for holding in HOLDINGS:
        rows = _rows_of(session, holding, person)
        tracked = manifest().tracked.get(holding.model)
        if tracked is not None:
            ids = {str(row["id"]) for row in rows if "id" in row}
            if holding.deletable:
                for each in person.all_ids:
                    ids |= history.deleted_of(session, tracked.entity, each)
            if holding.model is Member:
                ids |= {str(each) for each in person.former_ids}
            log[tracked.entity] = ids
        wiped = (
            _delete(session, holding, rows) if holding.deleted else _empty(session, holding, rows)
        )
        done[holding.name, holding.fate] += len(wiped)
        done[holding.name, Fate.kept] += len(rows) - len(wiped)
        if tracked is not None and not holding.derived:
            changes.record_erased(session, holding.model, wiped)
    done["change", Fate.wiped] += _wipe_log(session, person, log)
    forgotten = name_dictionary.forget(session, {sort_key(name) for name in person.names})
    done["name_entry", Fate.deleted], done["name_word", Fate.deleted] = forgotten
    return +done


def scan(session: Session, people: Sequence[Person]) -> _Done:
    """Wipe these people out of what may speak of anybody: once for all of them."""
    names = [name for person in people for name in person.names]
    accounts = {account_id for person in people for account_id in person.account_ids}
    texts = [*names, *(str(each) for person in people for each in person.all_ids)]
    done: _Done = Counter()
    done["export_record", Fate.wiped] = export_log.forget_searches(session, names)
    files = store.forget_about(
        session,
        ids={each for person in people for each in person.all_ids},
        people=[(name, year) for p in people for name in p.names for year in p.birth_years],
    )
    done["import", Fate.wiped], done["import_part", Fate.deleted] = files.imports, files.parts
    done["import_row", Fate.wiped] = files.rows
    done["idempotent_answer", Fate.wiped] = idempotency.forget_about(session, texts, accounts)
    return +done


def _rows_of(session: Session, holding: Holding, person: Person) -> list[Mapping[str, Any]]:
    table = holding.table
    statement = sa.select(table).where(holding.names(person.ids(holding)))
    return [dict(row) for row in session.execute(statement).mappings()]


def _delete(
    session: Session, holding: Holding, rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    table = holding.table
    # Rows without an id of their own are found by whose they are.
    key = "id" if "id" in table.c else holding.by
    session.execute(sa.delete(table).where(table.c[key].in_({row[key] for row in rows})))
    return rows


def _empty(
    session: Session, holding: Holding, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The rows that held something, now without it."""
    table, wiped = holding.table, []
    for row in rows:
        becomes = holding.of(row)
        if all(row[name] == value for name, value in becomes.items()):
            continue
        if "revision" in row:
            becomes |= {"revision": row["revision"] + 1, "updated_at": utc_now()}
        this = [column == row[column.name] for column in table.primary_key.columns]
        session.execute(sa.update(table).where(*this).values(becomes))
        wiped.append(row)
    return wiped


def _wipe_log(session: Session, person: Person, log: Mapping[str, set[str]]) -> int:
    """What the change log tells of her: the values of the columns that are wiped themselves."""
    told = {
        tracked.entity: frozenset(holding.wiped)
        for holding in HOLDINGS
        if (tracked := manifest().tracked.get(holding.model)) is not None
    }
    count = 0
    for entity, names in told.items():
        ids = sorted(log[entity])
        for start in range(0, len(ids), _CHUNK):
            rows = session.execute(
                sa.select(col(Change.id), col(Change.before), col(Change.after)).where(
                    col(Change.entity) == entity,
                    col(Change.entity_id).in_(ids[start : start + _CHUNK]),
                )
            ).all()
            for row in rows:
                before, after = (_without(side, names) for side in (row.before, row.after))
                if (before, after) != (row.before, row.after):
                    session.execute(
                        sa.update(Change)
                        .where(col(Change.id) == row.id)
                        .values(before=before, after=after),
                        execution_options={"synchronize_session": False},
                    )
                    count += 1
    return count + _wipe_devices(session, person)


def _without(values: Row | None, names: frozenset[str]) -> Row | None:
    return values and {name: None if name in names else value for name, value in values.items()}


def _wipe_devices(session: Session, person: Person) -> int:
    """The names of her devices, which may be hers. The log is read once, and only for who had an
    account: no index is kept for it."""
    if not person.session_ids:
        return 0
    result = session.connection().execute(
        sa.update(Change)
        .where(col(Change.session_id).in_(person.session_ids), col(Change.device).is_not(None))
        .values(device=None)
    )
    return result.rowcount


# -- what stands in the way

_ADVICE: dict[Obstacle, tuple[str, str]] = {
    Obstacle.in_union: (
        "Đang là hội viên: ghi việc rời Hội trước.",
        "She is in the union: record her departure first.",
    ),
    Obstacle.open_post: (
        "Đang giữ chức vụ: kết thúc chức vụ trước.",
        "She holds a post: end it first.",
    ),
    Obstacle.grants_in_force: (
        "Tài khoản còn quyền: thu hồi trước.",
        "Her account has rights in force: revoke them first.",
    ),
    Obstacle.legal_hold: (
        "Có lưu giữ pháp lý: chỉ xoá được khi đã bỏ.",
        "A legal hold is in force: it must be lifted first.",
    ),
    Obstacle.own_record: (
        "Không ai tự xoá hồ sơ của chính mình: cần cán bộ khác.",
        "Nobody erases herself: another officer must.",
    ),
}


def obstacles(db: Db, member_id: UUID, status: Any, actor: Actor | None) -> list[Row]:
    """What has to be settled before this person is erased."""
    today = local_today()
    lasts = [
        sa.or_(until.is_(None), until >= today)
        for until in (col(Appointment.valid_to), col(Grant.valid_to))
    ]
    accounts = sa.select(col(Account.id)).where(col(Account.member_id) == member_id)
    found = {
        Obstacle.in_union: int(status in persons.IN_UNION),
        Obstacle.open_post: _count(db, col(Appointment.member_id) == member_id, lasts[0]),
        Obstacle.grants_in_force: _count(db, col(Grant.account_id).in_(accounts), lasts[1]),
        Obstacle.legal_hold: _count(db, *held(member_id)),
        Obstacle.own_record: int(actor is not None and actor.member_id == member_id),
    }
    return [
        {"code": code, "count": count, "vi": _ADVICE[code][0], "en": _ADVICE[code][1]}
        for code, count in found.items()
        if count
    ]


def held(member_id: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """A legal hold of hers is in force."""
    return (
        col(ProcessingLimit.member_id) == member_id,
        col(ProcessingLimit.kind) == LimitKind.legal_hold,
        limits.in_force(),
    )


def _count(db: Db, *where: sa.ColumnElement[bool]) -> int:
    return int(db.execute(sa.select(sa.func.count()).where(*where)).scalar_one())


# -- one person, on her request


def erase(session: Session, actor: Actor, member_id: UUID, body: ErasureCreate) -> Row:
    """Say what an erasure would do, or do it; the same call again gives the receipt."""
    persons.hold_alone(session, [member_id])
    person = persons.lock(session, member_id)
    if person is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.privacy_erase, person, seen_with=Right.members_read)
    if person.erased_on is not None:
        return _receipt_again(session, person, body)
    in_the_way = obstacles(session, member_id, person.status, actor)
    whole = find_person(session, member_id, person.full_name, person.birth_date)
    effects = _tried(session, whole)
    digest = digest_of(member_id, effects)
    if body.dry_run:
        return _dry(person, body, effects, digest, in_the_way)
    request = requests.find_to_erase(session, member_id, body.request_id)
    if in_the_way:
        raise Problem(
            "erasure_refused",
            count=len(in_the_way),
            extra={"obstacles": [{**each, "code": each["code"].value} for each in in_the_way]},
        )
    if request.acknowledged_by is None or request.acknowledged_by == actor.account_id:
        raise Problem("own_acknowledgement")
    if body.digest != digest:
        raise Problem("erasure_changed")
    requests.close(session, actor, request, RequestState.done, None)
    done = wipe(session, whole) + scan(session, [whole])
    receipt = receive(
        session,
        person,
        cause=ErasureCause.request,
        request_id=request.id,
        anonymisation_id=None,
        effects=effects_of(done),
        approved_by=request.acknowledged_by,
        erased_by=actor.account_id,
    )
    jobs.enqueue(session, actor, kind=JobKind.erasure_sweep, args={}, unit_id=person.branch_id)
    return read(receipt)


def _tried(session: Session, person: Person) -> list[Row]:
    """What an erasure does, by doing it and taking it back."""
    savepoint = session.begin_nested()
    try:
        return effects_of(wipe(session, person) + scan(session, [person]))
    finally:
        savepoint.rollback()


def _receipt_again(session: Session, person: Any, body: ErasureCreate) -> Row:
    found = session.execute(_READ.where(col(Erasure.member_id) == person.id)).one()
    if body.dry_run or body.request_id is None or found.request_id != body.request_id:
        raise persons.erased(person.erased_on)
    return _item(found)


def _dry(
    person: Any, body: ErasureCreate, effects: list[Row], digest: str, in_the_way: list[Row]
) -> Row:
    nothing: Row = dict.fromkeys(ErasureRead.model_fields)
    return nothing | {
        "member_id": person.id,
        "dry_run": True,
        "cause": ErasureCause.request,
        "request_id": body.request_id,
        "effects": effects,
        "obstacles": in_the_way,
        "digest": digest,
    }


def effects_of(done: _Done) -> list[Row]:
    """In the order of the tables of the registry."""
    return [_effect(table, fate, done[table, fate]) for table, fate in sorted(done, key=_place)]


_PLACES = {name: place for place, name in enumerate([*holdings.BY_TABLE, *SCANNED])}


def _place(which: tuple[str, Fate]) -> tuple[int, str]:
    return _PLACES[which[0]], which[1].value


def _effect(table: str, fate: Fate, rows: int) -> Row:
    holding = holdings.BY_TABLE.get(table)
    scanned = SCANNED.get(table)
    columns: list[str] = []
    if fate is not Fate.kept:
        columns = sorted(scanned.looked_through if scanned else holding.wiped if holding else ())
    words = holding or scanned
    assert words is not None  # noqa: S101  # every table with a fate is in the registry
    return {
        "table": table,
        "fate": fate.value,
        "rows": rows,
        "columns": columns,
        "vi": words.vi,
        "en": words.en,
    }


def digest_of(member_id: UUID, effects: Sequence[Row]) -> str:
    """What a dry run is confirmed by; what comes and goes with each request is no part of it."""
    lasting = [
        [each["table"], each["fate"], each["rows"]]
        for each in effects
        if each["table"] not in PASSING
    ]
    return blake2b(orjson.dumps([str(member_id), lasting]), digest_size=16).hexdigest()


def receive(
    session: Session,
    person: Any,
    *,
    cause: ErasureCause,
    request_id: UUID | None,
    anonymisation_id: UUID | None,
    effects: list[Row],
    approved_by: UUID,
    erased_by: UUID,
) -> Erasure:
    """The receipt: what was done, by which two, and nothing of who she was."""
    receipt = Erasure(
        member_id=person.id,
        province_id=person.province_id,
        commune_id=person.commune_id,
        branch_id=person.branch_id,
        cause=cause,
        request_id=request_id,
        anonymisation_id=anonymisation_id,
        effects=effects,
        digest=digest_of(person.id, effects),
        approved_by=approved_by,
        erased_by=erased_by,
        erased_at=utc_now(),
    )
    session.add(receipt)
    session.flush()
    return receipt


# -- receipts

_NOT_STORED = ("dry_run", "obstacles")
_READ = sa.select(
    *(getattr(Erasure, name) for name in ErasureRead.model_fields if name not in _NOT_STORED),
    col(Erasure.province_id),
    col(Erasure.commune_id),
    col(Erasure.branch_id),
)


def _item(row: Any) -> Row:
    stored = {
        name: getattr(row, name) for name in ErasureRead.model_fields if name not in _NOT_STORED
    }
    return {name: stored.get(name) for name in ErasureRead.model_fields} | {
        "dry_run": False,
        "obstacles": [],
    }


def read(receipt: Erasure) -> Row:
    return _item(receipt)


def list_erasures(
    db: Db, actor: Actor, query: ErasureQuery, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[tuple[UUID], Row]]:
    """Receipts of who stood in my scope, the newest first."""
    require_somewhere(db, actor, Right.privacy_read)
    statement = _READ.where(visible(Erasure, actor, Right.privacy_read))
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(reach_of(db, unit).predicate(Erasure))
    if after is not None:
        statement = statement.where(col(Erasure.id) < sa.literal(after[0], Uuid()))
    rows = db.execute(statement.order_by(col(Erasure.id).desc()).limit(limit)).all()
    return [((row.id,), _item(row)) for row in rows]


def get_erasure(db: Db, actor: Actor, erasure_id: UUID) -> Row:
    """One receipt."""
    row = db.execute(_READ.where(col(Erasure.id) == erasure_id)).one_or_none()
    if row is None or not actor.covers(Right.privacy_read, row):
        require_somewhere(db, actor, Right.privacy_read)
        raise not_found()
    return _item(row)


# -- the files


@jobs.handler(JobKind.erasure_sweep)
def sweep(task: jobs.Task) -> dict[str, Any]:
    """Make the database give up what it holds of deleted rows; many erasures need it once."""
    return {"erasures": _sweep(task.database, utc_now())}


def sweep_late(database: Database) -> int:
    """What a job should have swept and has not, for whatever reason."""
    return _sweep(database, utc_now() - SWEPT_WITHIN)


def _sweep(database: Database, until: datetime) -> int:
    began = utc_now()
    waiting = sa.and_(col(Erasure.swept_at).is_(None), col(Erasure.erased_at) <= until)
    with database.reading() as db:
        number = int(db.execute(sa.select(sa.func.count()).where(waiting)).scalar_one())
    if number:
        database.sweep(sorted({*holdings.BY_TABLE, *SCANNED}))
        with database.writing() as session:
            session.connection().execute(
                sa.update(Erasure)
                .where(col(Erasure.swept_at).is_(None), col(Erasure.erased_at) <= began)
                .values(swept_at=utc_now())
            )
    return number
