"""Meetings for tests: events with their sessions and rooms, and captures as phones send them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import Session, col, select

from app.clock import local_day, utc_now
from app.db import Database
from app.models.base import new_id
from app.models.events.events import (
    Event,
    EventSession,
    EventSessionUnit,
    EventState,
    EventUnit,
    Room,
    SessionMode,
    SessionState,
    UnitRole,
)
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.attendance import counts as attendance_counts
from app.services.kernel import changes
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing


def hold(
    database: Database,
    hosts: Sequence[int],
    invited: Sequence[int] | None = None,
    *,
    starts_at: datetime | None = None,
    **overrides: Any,
) -> UUID:
    """A session that began an hour ago, of an announced event; returns its id."""
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        return _hold(session, hosts, invited or hosts, starts_at, overrides)


def _hold(
    session: Session,
    hosts: Sequence[int],
    invited: Sequence[int],
    starts_at: datetime | None,
    overrides: Json,
) -> UUID:
    now = utc_now().replace(microsecond=0)
    starts = starts_at or now - timedelta(hours=1)
    path = _path(session, hosts[0])
    times: Json = {"created_at": now, "updated_at": now}
    event = Event(
        title="Sinh hoạt chi hội",
        title_key="sinh hoat chi hoi",
        kind="meeting",
        state=EventState.announced,
        host_id=hosts[0],
        host_unit_ids=list(hosts),
        invited_unit_ids=list(invited),
        **path,
        **times,
    )
    values: Json = {
        "id": new_id(),
        "ends_at": starts + timedelta(hours=2),
        "mode": SessionMode.in_person,
        "state": SessionState.held,
    }
    sitting = EventSession(
        event_id=event.id,
        host_id=hosts[0],
        starts_at=starts,
        local_date=local_day(starts),
        **path,
        **times,
        **(values | overrides),
    )
    session.add(event)
    session.flush()
    session.add(sitting)
    session.flush()
    for role, unit_ids in ((UnitRole.host, hosts), (UnitRole.invited, invited)):
        for unit_id in unit_ids:
            standing: Json = {"role": role, "unit_id": unit_id, **_path(session, unit_id)}
            session.add(EventUnit(event_id=event.id, **standing))
            session.add(
                EventSessionUnit(session_id=sitting.id, starts_at=sitting.starts_at, **standing)
            )
    session.flush()
    return sitting.id


def _path(session: Session, unit_id: int) -> Json:
    """The path of a unit, itself included."""
    unit = session.get_one(Unit, unit_id)
    path = {
        name: getattr(unit, name)
        for name in ("province_id", "district_id", "commune_id", "branch_id")
    }
    own = f"{unit.level.value}_id"
    return path | ({own: unit.id} if own in path else {})


def add_room(database: Database, session_id: UUID, name: str, unit_id: int | None = None) -> UUID:
    now = utc_now()
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        room = Room(
            session_id=session_id,
            province_id=1,
            unit_id=unit_id,
            name=name,
            created_at=now,
            updated_at=now,
        )
        session.add(room)
        session.flush()
        return room.id


def close(database: Database, session_id: UUID) -> None:
    """As the closing of a session does it."""
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        session.execute(
            sa.update(EventSession)
            .where(col(EventSession.id) == session_id)
            .values(state=SessionState.closed, closed_at=utc_now())
        )
        attendance_counts.freeze(session, session_id)


def members_of(database: Database, branch_id: int) -> list[UUID]:
    with writing(database) as session:
        return list(
            session.exec(
                select(Member.id).where(col(Member.branch_id) == branch_id).order_by(col(Member.id))
            )
        )


def tapped(member_id: object, at: datetime | None = None, **more: Any) -> Json:
    """A tap on the roster."""
    moment = at or utc_now() - timedelta(minutes=30)
    return {
        "id": str(new_id()),
        "kind": "roster",
        "member_id": str(member_id),
        "occurred_at": moment.isoformat(),
    } | more


def item(kind: str, at: datetime | None = None, **more: Any) -> Json:
    moment = at or utc_now() - timedelta(minutes=30)
    return {"id": str(new_id()), "kind": kind, "occurred_at": moment.isoformat()} | more


def send(api: Api, session_id: object, items: Iterable[Json], **more: Any) -> list[Json]:
    answer = api.post(f"/v1/sessions/{session_id}/captures", json={"items": list(items)} | more)
    assert answer.status_code == 200, answer.text
    verdicts: list[Json] = answer.json()["items"]
    return verdicts


def counts(api: Api, session_id: object, **query: str) -> Json:
    answer: Response = api.get(f"/v1/sessions/{session_id}/attendance", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found
