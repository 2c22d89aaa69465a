"""The demo's year of meetings: realistic, and true to the rules the API keeps."""

from collections import Counter

import sqlalchemy as sa
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from app.models.attendance.counts import FrozenCount
from app.models.events.events import Event, EventSession, SessionMode
from app.services.demo import meetings, past
from app.services.demo.meetings import Crowd
from tests.helpers.captures import counts
from tests.helpers.client import Api, writing

BRANCHES, COMMUNES = 8, 2


def test_every_branch_met_each_month_and_the_counts_are_those_of_the_api(
    api: Api, database: Database, unit_id: dict[str, int]
) -> None:
    told: list[tuple[int, int]] = []
    with writing(database) as session:
        participations = past.load(
            session,
            progress=lambda _, done, total: told.append((done, total)),
        )
    assert told[-1] == (BRANCHES, BRANCHES)
    with writing(database) as session:
        kinds = Counter(session.exec(select(Event.kind)).all())
        facts = session.exec(select(func.count()).select_from(Attendance)).one()
        named = select(func.count()).where(col(Capture.member_id).is_not(None))
        assert session.exec(named).one() == facts == participations
        modes = set(session.exec(select(EventSession.mode)).all())
        came, invited = session.execute(
            sa.select(
                sa.func.sum(col(FrozenCount.people)), sa.func.sum(col(FrozenCount.roster_size))
            )
            .join(EventSession, col(EventSession.id) == col(FrozenCount.session_id))
            .join(Event, col(Event.id) == col(EventSession.event_id))
            .where(col(Event.kind) == "meeting")
        ).one()
    assert kinds == {"meeting": BRANCHES, "training": COMMUNES, "contest": COMMUNES}
    assert modes == {SessionMode.in_person, SessionMode.hybrid}
    assert 0.62 < came / invited < 0.78

    head = api.as_("phuongvi-1")
    items = head.get("/v1/sessions?kind=meeting&limit=200").json()["items"]
    assert len(items) == meetings.MONTHS
    for sitting in items[:3]:
        found = counts(head, sitting["id"])
        [frozen] = found["frozen"]
        for name in ("distinct_people", "guests", "head_count", "roster_size"):
            assert found[name] == frozen[name], name
        assert found["over_named"] == 0
    year = head.get(
        f"/v1/units/{unit_id['phuongvi-1']}/attendance",
        params={"from": local_today().replace(year=local_today().year - 1, day=1).isoformat()},
    )
    assert year.status_code == 200


def test_who_works_shifts_comes_less_often() -> None:
    crowd = Crowd("a seed")
    shifts, others = (
        [crowd.habit(work) for _ in range(2_000)] for work in ("Công nhân", "Nông nghiệp")
    )
    assert sum(shifts) / 2_000 < 0.52
    assert sum(others) / 2_000 > 0.73
    assert Crowd("a seed").came([0.5] * 50, 6) == Crowd("a seed").came([0.5] * 50, 6)
