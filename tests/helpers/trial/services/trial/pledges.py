"""The rules of pledges: made, ended, counted, forgotten."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_day, local_today, utc_now
from app.db import vault_of
from app.errors import Problem, not_found
from app.models.kernel.access import Right
from app.models.kernel.changes import ChangeSource
from app.models.kernel.jobs import JobRead
from app.services.kernel import changes, jobs
from app.services.kernel.access import Actor, Db, ensure, require_somewhere, visible
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.due import Due
from app.services.kernel.holdings import Forgotten, Person
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.manifest import Manifest
from app.services.kernel.named import seen_rows
from app.services.members import persons
from app.services.notices import inbox
from app.services.units.units import find_target
from tests.helpers.trial.models.trial.pledges import (
    Pledge,
    PledgeCreate,
    PledgeJob,
    PledgeLetter,
    PledgeQuery,
    PledgeRead,
    PledgeThanks,
    PledgeTotalCreate,
)

_COLUMNS = [getattr(Pledge, name) for name in PledgeRead.model_fields]
_DAY = timedelta(days=1)
_KEPT = timedelta(days=3650)


def list_pledges(db: Db, actor: Actor, query: PledgeQuery) -> Pages:
    """The pledges in scope, the oldest first."""
    require_somewhere(db, actor, Right.members_religion)
    statement = sa.select(*_COLUMNS).where(visible(Pledge, actor, Right.members_religion))
    if query.goods is not None:
        statement = statement.where(col(Pledge.goods) == query.goods)
    return pages(statement, Order(col(Pledge.id)))


def create(
    session: Session, actor: Actor, member_id: UUID, body: PledgeCreate
) -> tuple[Pledge, bool]:
    """Write a pledge down. The same id with the same content makes no second one."""
    member = persons.access_member(session, actor, member_id, Right.members_religion)
    values = body.model_dump(exclude={"id", "renews_id"}) | {"member_id": member_id}
    made = partial(_made, session, member, values)
    pledge, is_new = created_once(session, Pledge, body.id, made, same=holds(values))
    if is_new and body.renews_id is not None:
        end(session, actor, body.renews_id)
    return pledge, is_new


def seen(db: Db, actor: Actor, pledge_ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that are of a pledge the actor sees."""
    return seen_rows(db, actor, Pledge, Right.members_read, pledge_ids)


def _made(session: Session, member: Any, values: Mapping[str, Any]) -> Pledge:
    now = utc_now()
    return Pledge(
        **values,
        province_id=member.province_id,
        commune_id=member.commune_id,
        branch_id=member.branch_id,
        note_digest=_digest(session, values["note"]),
        created_at=now,
        updated_at=now,
    )


def end(session: Session, actor: Actor, pledge_id: UUID) -> Pledge:
    """Nothing is owed from tomorrow on; 409 `pledge_over` when that is so already."""
    pledge = session.get(Pledge, pledge_id, with_for_update=True)
    if pledge is None:
        raise not_found()
    ensure(session, actor, Right.members_religion, pledge, seen_with=Right.members_read)
    if pledge.valid_to is not None:
        raise Problem("pledge_over", date=pledge.valid_to.isoformat())
    pledge.valid_to = max(local_today(), pledge.valid_from)
    session.flush()
    return pledge


def read(pledge: Pledge) -> dict[str, Any]:
    return {name: getattr(pledge, name) for name in PledgeRead.model_fields}


def _digest(session: Session, note: str | None) -> int | None:
    return None if note is None else vault_of(session).digest(note, "pledge_note")


def resealed(session: Session, _: UUID, opened: Mapping[str, Any]) -> Mapping[str, Any]:
    """The digest follows the key that the note is sealed with."""
    return {"note_digest": _digest(session, opened["note"])}


def carry(session: Session, branch_ids: Sequence[int], carried: Mapping[str, int | None]) -> None:
    session.execute(
        sa.update(Pledge).where(col(Pledge.branch_id).in_(branch_ids)).values(**carried)
    )


def end_all_in(session: Session, branch_ids: Sequence[int], on: date) -> None:
    """The branches are closed from `on`: nothing is owed to them."""
    theirs = col(Pledge.branch_id).in_(branch_ids)
    still = select(Pledge).where(theirs, col(Pledge.valid_to).is_(None))
    for pledge in session.exec(still).all():
        pledge.valid_to = max(on, pledge.valid_from) - _DAY
    session.flush()


def forget_old(session: Session) -> int:
    """Delete what was over long ago; returns how many."""
    changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="pledges"))
    old = select(Pledge).where(col(Pledge.valid_to) < local_today() - _KEPT)
    found = session.exec(old).all()
    for pledge in found:
        session.delete(pledge)
    return len(found)


def _count_over(db: Db, until: datetime) -> int:
    over = sa.select(sa.func.count()).where(col(Pledge.valid_to) < local_day(until))
    return int(db.execute(over).scalar_one())


DUE = Due("pledge", "pledges that are over", _count_over)


def forget_letters(session: Session, person: Person) -> Forgotten:
    """Letters that name the person go."""
    named = sa.or_(*(col(PledgeLetter.text).contains(n, autoescape=True) for n in person.names))
    return {
        PledgeLetter: session.connection().execute(sa.delete(PledgeLetter).where(named)).rowcount
    }


def forget_thanks(session: Session, people: Sequence[Person]) -> Forgotten:
    """What was said of one of these people goes; each row is opened once."""
    names = [name for person in people for name in person.names]
    rows = session.exec(select(PledgeThanks)).all()
    gone = [row for row in rows if any(name in row.text for name in names)]
    for row in gone:
        session.delete(row)
    return {PledgeThanks: len(gone)}


def ask_total(session: Session, actor: Actor, body: PledgeTotalCreate) -> JobRead:
    """Ask how much is pledged in a unit."""
    unit = find_target(session, actor, body.unit_id, Right.members_religion, pointer="/unit_id")
    return jobs.enqueue(
        session, actor, kind=PledgeJob.total, args={"unit_id": unit.id}, unit_id=unit.id
    )


def total(task: jobs.Task) -> dict[str, Any]:
    """How many pledges of the unit are open."""
    of_unit = col(Pledge.branch_id) == task.args["unit_id"]
    statement = sa.select(sa.func.count()).select_from(Pledge)
    with task.database.reading() as db:
        found = db.execute(statement.where(of_unit, col(Pledge.valid_to).is_(None))).scalar_one()
    return {"pledges": found}


def wrong(made: Manifest) -> Iterator[str]:
    """A pledge is of a member: it cannot be without the capability that has them."""
    if "member" not in made.by_entity:
        yield f"{__name__}: no capability has members"


WAITING = inbox.waiting(
    "pledge_waits",
    "Lời hứa chờ thực hiện",
    "A pledge waits to be kept",
    "/v1/pledges/{entity_id}",
    sa.select(col(Pledge.id), col(Pledge.branch_id).label("waits_for")).where(
        col(Pledge.valid_to).is_(None)
    ),
    Right.members_write,
)
