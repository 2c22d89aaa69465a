"""Wipe a person out of every table, by the holdings that the capabilities declare."""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import chunks
from app.models.households.households import Household
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.kernel.sessions import AuthSession
from app.models.privacy.erasures import Fate
from app.services.audit import history
from app.services.kernel import changes, log_wiping
from app.services.kernel.holdings import Forgotten, Holding, Person, Scanned
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import Tracked
from app.services.members import merged

Done = Counter[tuple[str, Fate]]


def find_person(session: Session, member_id: UUID, full_name: str, birth_date: str) -> Person:
    """All that the person is found by."""
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


def wipe(session: Session, person: Person) -> Done:
    """Wipe a person out of every table but those that `scan` looks through; how many rows of
    which had which fate."""
    done: Done = Counter()
    log: dict[str, set[str]] = {}
    told = manifest()
    for holding in told.holdings:
        rows = _rows_of(session, holding, person)
        tracked = told.tracked.get(holding.model)
        if tracked is not None:
            log[tracked.entity] = _logged_ids(session, holding, tracked, person, rows)
        wiped = (
            _delete(session, holding, rows) if holding.deleted else _empty(session, holding, rows)
        )
        done[holding.name, _fate(holding)] += len(wiped)
        done[holding.name, Fate.kept] += len(rows) - len(wiped)
        if tracked is not None and not holding.derived:
            changes.record_erased(session, holding.model, wiped)
    done["change", Fate.wiped] += _wipe_log(session, person, log)
    for capability in told.capabilities:
        for forget in capability.forget_each:
            done += _counted(forget(session, person))
    return +done


def scan(session: Session, people: Sequence[Person]) -> Done:
    """Wipe these people out of the scanned tables: once for all of them."""
    done: Done = Counter()
    for capability in manifest().capabilities:
        for forget in capability.forget_all:
            done += _counted(forget(session, people))
    return done


def _fate(place: Holding | Scanned) -> Fate:
    return Fate.deleted if place.deleted else Fate.wiped


def _counted(forgotten: Forgotten) -> Done:
    fates = {scanned.model: (scanned.name, _fate(scanned)) for scanned in manifest().scanned}
    return Counter({fates[model]: rows for model, rows in forgotten.items()})


def _logged_ids(
    session: Session,
    holding: Holding,
    tracked: Tracked,
    person: Person,
    rows: Sequence[Mapping[str, Any]],
) -> set[str]:
    """The logged rows of the person, including rows that no longer exist."""
    ids = {str(row["id"]) for row in rows if "id" in row}
    if holding.by == "id":
        ids |= {str(each) for each in person.ids(holding)}
    if holding.deletable:
        for each in person.all_ids:
            ids |= history.deleted_of(session, tracked.entity, each)
    return ids


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
    """In the change log: the values of the columns that are wiped themselves."""
    wiped = {
        tracked.entity: frozenset(holding.wiped)
        for holding in manifest().holdings
        if (tracked := manifest().tracked.get(holding.model)) is not None
    }
    count = 0
    for entity, names in wiped.items():
        ids = sorted(log[entity])
        for chunk in chunks(ids):
            count += log_wiping.wipe_values(session, entity, chunk, names)
    # The names of the devices may be the person's too.
    return count + log_wiping.wipe_devices(session, person.session_ids)


# -- what was done


def _places() -> list[Holding | Scanned]:
    """Everywhere a person may be wiped out of, in the order in which the capabilities state it."""
    return [*manifest().holdings, *manifest().scanned]


def effects_of(done: Done) -> list[dict[str, Any]]:
    """What was done, as a receipt has it."""
    places = {place.name: place for place in _places()}
    order = list(places)
    found = sorted(done, key=lambda which: (order.index(which[0]), which[1].value))
    return [_effect(places[table], fate, done[table, fate]) for table, fate in found]


def _effect(place: Holding | Scanned, fate: Fate, rows: int) -> dict[str, Any]:
    wiped = place.looked_through if isinstance(place, Scanned) else place.wiped
    return {
        "table": place.name,
        "fate": fate.value,
        "rows": rows,
        "columns": [] if fate is Fate.kept else sorted(wiped),
        "vi": place.vi,
        "en": place.en,
    }


def digest_of(member_id: UUID, effects: Sequence[dict[str, Any]]) -> str:
    """The digest that confirms a dry run; rows that come and go with each request are left out."""
    passing = {place.name for place in _places() if place.passing}
    lasting = [
        [each["table"], each["fate"], each["rows"]]
        for each in effects
        if each["table"] not in passing
    ]
    return blake2b(orjson.dumps([str(member_id), lasting]), digest_size=16).hexdigest()


def swept() -> list[str]:
    """The tables that an erasure empties."""
    return sorted(place.name for place in _places())
