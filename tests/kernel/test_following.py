"""Where a follower of the change log stands: the newest number, beginning by time, starting over."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import utc_now
from app.db import Database
from app.models.base import first_id
from app.models.kernel.changes import Change, Feed
from app.models.kernel.epochs import Epoch
from app.services.kernel import changes, following, sequencer
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.client import Api, counted, writing
from tests.kernel.changes import done, head, read


def page(api: Api, **query: Any) -> Json:
    return done(api.get("/v1/changes", params=query))


def rename(api: Api, unit: int, name: str) -> None:
    done(api.patch(f"/v1/units/{unit}", json={"address": name}))


@pytest.fixture
def officer(api: Api) -> Api:
    return api.as_("phutho")


class TestNewest:
    def test_each_page_tells_it(self, officer: Api, database: Database) -> None:
        newest = head(database)
        first = page(officer, limit=2)
        last = page(officer, after=newest)
        assert [first["seq"], last["seq"], last["items"]] == [newest, newest, []]
        assert first["epoch"] == last["epoch"]

    def test_going_on_from_it_misses_nothing_that_was_not_shown(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        head_of_branch = api.as_("phuongvi-1")
        position = page(head_of_branch, kinds="unit", limit=200)
        rename(api.as_("phutho"), unit_id["tienluong"], "elsewhere")
        rename(api.as_("phutho"), unit_id["phuongvi-1"], "here")
        after = page(head_of_branch, after=position["seq"], epoch=position["epoch"])
        assert [item["after"] for item in after["items"]] == [{"address": "here"}]
        assert after["seq"] == position["seq"] + 2

    def test_a_file_ends_where_it_began(self, officer: Api, database: Database) -> None:
        lines = officer.get("/v1/changes?format=ndjson&fields=seq").text.splitlines()
        assert len(lines) == head(database)


class TestKinds:
    def test_several(self, officer: Api) -> None:
        both = read(officer, "&kinds=unit,grant")
        assert {item["entity"] for item in both} == {"unit", "grant"}
        assert both == read(officer, "&kinds=unit&kinds=grant")
        assert len(both) == len(read(officer, "&kinds=unit")) + len(read(officer, "&kinds=grant"))


class TestSinceTime:
    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("2031-05-01T10:00:00Z", [True, True]),
            ("2031-05-01T17:00:00+07:00", [True, True]),
            ("2031-05-01T10:00:01Z", [False, True]),
            ("2031-05-01T10:00:02Z", [False, False]),
        ],
    )
    def test_begins_at_the_first_change_made_then(
        self,
        officer: Api,
        database: Database,
        unit_id: UnitIds,
        monkeypatch: pytest.MonkeyPatch,
        asked: str,
        found: list[bool],
    ) -> None:
        newest = head(database)
        with monkeypatch.context() as clock:
            for second in (0, 1):
                at = datetime(2031, 5, 1, 10, 0, second, tzinfo=UTC)
                clock.setattr(changes, "utc_now", lambda at=at: at)
                clock.setattr(changes, "new_id", lambda at=at: first_id(at))
                rename(officer, unit_id["phuongvi"], f"at {second}")
        expected = [newest + 1 + second for second, there in enumerate(found) if there]
        items = page(officer, since_time=asked)["items"]
        assert [item["seq"] for item in items] == expected
        unescaped = done(officer.get(f"/v1/changes?since_time={asked}"))["items"]
        assert unescaped == items

    def test_goes_together_with_after(self, officer: Api, database: Database) -> None:
        newest = head(database)
        items = page(officer, since_time="2000-01-01T00:00:00+07:00", after=newest - 1)["items"]
        assert [item["seq"] for item in items] == [newest]
        assert page(officer, since_time="2000-01-01T00:00:00Z", limit=1)["items"][0]["seq"] == 1

    def test_a_change_committed_late_is_not_lost(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """What a long transaction wrote has an earlier time and a later number."""
        rename(officer, unit_id["phuongvi"], "first")
        rename(officer, unit_id["phuongvi"], "second")
        newest = head(database)
        with writing(database) as session:
            earlier = session.exec(select(Feed).where(col(Feed.seq) == newest - 1)).one()
            change = session.get_one(Change, earlier.change_id)
            change.at -= timedelta(days=1)
        found = read(officer, f"&since_time={utc_now() - timedelta(hours=1):%FT%TZ}")
        assert [item["seq"] for item in found] == [*range(1, newest - 1), newest]

    def test_takes_no_longer_way_than_the_rest(self, officer: Api, database: Database) -> None:
        query = f"?since_time={utc_now():%Y-%m-%dT00:00:00Z}&limit="
        with counted(database) as few:
            officer.get(f"/v1/changes{query}1")
        with counted(database) as many:
            officer.get(f"/v1/changes{query}200")
        assert len(few) == len(many)


class TestStartOver:
    def test_a_follower_ahead_of_the_log(self, officer: Api, database: Database) -> None:
        newest = head(database)
        body = refused(officer.get(f"/v1/changes?after={newest + 1}"), 409, "start_over")
        assert (body["reason"], body["seq"]) == ("ahead", newest)
        assert page(officer, after=body["seq"], epoch=body["epoch"])["items"] == []
        refused(officer.get(f"/v1/changes?after={2**63 - 1}"), 409, "start_over")

    def test_a_file_is_refused_as_a_page_is(self, officer: Api, database: Database) -> None:
        path = f"/v1/changes?after={head(database) + 1}&format=csv"
        assert refused(officer.get(path), 409, "start_over")["reason"] == "ahead"

    def test_after_going_back_to_a_backup(
        self, officer: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """Who had read no more than the backup holds goes on; who had starts over once, and learns where the
        two part."""
        newest = head(database)
        position = page(officer, limit=1)
        with writing(database) as session:
            epoch = following.next_epoch(session).id
        rename(officer, unit_id["phuongvi"], "given a second time")
        same = page(officer, after=newest, epoch=position["epoch"])
        assert [item["seq"] for item in same["items"]] == [newest + 1]
        assert same["epoch"] == str(epoch)
        ahead = f"/v1/changes?after={newest + 1}&epoch={position['epoch']}"
        body = refused(officer.get(ahead), 409, "start_over")
        assert body["reason"] == "ahead_of_log"
        assert (body["lost_after"], body["seq"], body["epoch"]) == (newest, newest + 1, str(epoch))
        assert page(officer, after=body["seq"], epoch=body["epoch"])["items"] == []

    def test_after_going_back_twice(self, officer: Api, database: Database) -> None:
        first = page(officer, limit=1)
        with writing(database) as session:
            lost_after = following.next_epoch(session).began_after
            second = following.next_epoch(session).id
        for epoch in (first["epoch"], second):
            assert page(officer, after=lost_after, epoch=epoch)["items"] == []
        with writing(database) as session:
            session.execute(sa.update(Epoch).where(col(Epoch.number) == 3).values(began_after=4))
        assert page(officer, after=4, limit=1, epoch=first["epoch"])["items"][0]["seq"] == 5
        path = f"/v1/changes?after=5&epoch={first['epoch']}"
        assert refused(officer.get(path), 409, "start_over")["lost_after"] == 4

    def test_an_epoch_of_another_server(self, officer: Api) -> None:
        other = refused(officer.get(f"/v1/changes?epoch={uuid4()}"), 409, "start_over")
        assert other["reason"] == "other_epoch"

    def test_a_page_of_before_goes_on_no_further_than_the_backup(
        self, officer: Api, database: Database
    ) -> None:
        """The place in a list belongs to an epoch as well."""
        early, late = (
            page(officer, limit=1, after=after)["next_cursor"] for after in (0, head(database) - 3)
        )
        with writing(database) as session:
            following.next_epoch(session)
            session.execute(sa.update(Epoch).where(col(Epoch.number) == 2).values(began_after=4))
        assert page(officer, limit=1, after=0, cursor=early)["items"][0]["seq"] == 2
        path = f"/v1/changes?limit=1&after={head(database) - 3}&cursor={late}"
        assert refused(officer.get(path), 409, "start_over")["reason"] == "ahead_of_log"

    def test_what_came_next_is_no_longer_kept(self, officer: Api, database: Database) -> None:
        sequencer.settle(database)
        with writing(database) as session:
            for row in session.exec(select(Feed).where(col(Feed.seq) <= 5)).all():
                session.delete(row)
        for after in (1, 4):
            body = refused(officer.get(f"/v1/changes?after={after}"), 409, "start_over")
            assert body["reason"] == "expired"
        assert page(officer, after=5, limit=1)["items"][0]["seq"] == 6
        assert page(officer, limit=1)["items"][0]["seq"] == 6
