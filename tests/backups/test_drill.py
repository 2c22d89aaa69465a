"""The drill: a server that was backed up, went on, was lost and restored, and everything around it.

What a server did after the backup is lost; a follower that held it starts over, and ends equal to what was restored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response

from app.api.http.server import Server
from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import sealed_fields
from app.models.events.reminders import Reminder
from app.models.memberships.transfers import Transfer
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationState
from app.services.backups import backing_up, restoring
from app.services.kernel import due, job_workers, jobs, upkeep
from app.services.kernel.manifest import manifest
from tests.backups.backups import empty_database, everything, quietly, served, settings_of
from tests.conftest import make_settings, units_by_name
from tests.files.uploads import PDF, whole
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import Ids, made
from tests.helpers.client import Api, writing
from tests.helpers.databases import Clones
from tests.helpers.engines import share_compiled
from tests.helpers.meetings import announced, at
from tests.http import test_sweep
from tests.http.test_sweep import Branch, day, outsiders


class Follower:
    """A copy of what an account sees of the change log, and of the members named in it, as the guide
    for integrators says."""

    def __init__(self, api: Api, username: str) -> None:
        self.username = username
        self.heard: list[Json] = []
        self.sign_in(api)
        self._start_over({"seq": 0, "epoch": None})

    def sign_in(self, api: Api) -> None:
        self.api = api.as_(self.username)

    def follow(self) -> None:
        answer, touched = self._asked(None), set[str]()
        while answer.status_code == 200:
            page = answer.json()
            for item in page["items"]:
                self.changes[item["seq"]] = repr(item).encode()
                touched |= {item["entity_id"]} if item["entity"] == "member" else set()
            if page["next_cursor"] is None:
                self.after, self.epoch = page["seq"], page["epoch"]
                self._read(touched)
                return
            answer = self._asked(page["next_cursor"])
        self.heard.append(refused(answer, 409, "start_over"))
        self._start_over({"seq": 0, "epoch": self.heard[-1]["epoch"]})
        self.follow()

    def holds(self) -> tuple[dict[int, bytes], dict[str, bytes]]:
        return self.changes, self.members

    def _start_over(self, place: Json) -> None:
        self.after, self.epoch = place["seq"], place["epoch"]
        self.changes: dict[int, bytes] = {}
        self.members: dict[str, bytes] = {}

    def _asked(self, cursor: str | None) -> Response:
        given = {"after": self.after, "epoch": self.epoch, "limit": 200, "cursor": cursor}
        query = {name: value for name, value in given.items() if value is not None}
        return self.api.get("/v1/changes", params=query)

    def _read(self, touched: set[str]) -> None:
        for member_id in touched:
            answer = self.api.get(f"/v1/members/{member_id}")
            self.members.pop(member_id, None)
            if answer.status_code == 200:
                self.members[member_id] = answer.content


@dataclass(frozen=True)
class Drill:
    """`behind` had read no more than the backup holds; the others had, and `late` comes back when the
    server has given their numbers again. `lost` is the tag of a change that was lost."""

    before: Database
    restored: Database
    branch: Branch
    behind: Follower
    ahead: Follower
    late: Follower
    lost: dict[str, str]


def lives_at(officer: Api, member_id: str, address: str) -> str:
    """She lives elsewhere; the tag of her record."""
    answer = officer.patch(f"/v1/members/{member_id}", json={"address": address})
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def sealed() -> list[tuple[Any, str]]:
    return [(model, name) for model in manifest().sealed for name in sealed_fields(model)]


def all_sealed(database: Database, branch: Branch) -> None:
    """Something stands in each sealed field that the branch leaves empty."""
    visit = {"visited_on": day(0), "visitors": ["Bà Lan"], "note": "Nhà dột"}
    made(branch.officer.post(f"/v1/households/{branch.ids['household_id']}/visits", json=visit))
    whole(branch.officer, PDF)
    push = f"/v1/bulk/members?unit={branch.branch}&batch=b&chunk=0"
    line = b'{"full_name": "H\xc3\xa0 Th\xe1\xbb\x8b D\xc3\xb2ng", "birth_date": "1990"}\n'
    pushed = branch.officer.post(
        push, content=line, headers={"content-type": "application/x-ndjson"}
    )
    assert pushed.status_code == 200, pushed.text
    jobs.work_off(database)
    with writing(database) as session:
        for model, name in sealed():
            column = sa.inspect(model).local_table.c[name]
            session.execute(sa.update(model).where(column.is_(None)).values({name: "{}"}))


def falls_due(database: Database, branch: Branch, units: Ids) -> None:
    """All that is done by itself has its time on the day of the restore; a job waits already."""
    officer, (_, session_id) = branch.officer, announced(branch.officer)
    made(officer.post(f"/v1/sessions/{session_id}/reminders", json={"send_at": at(6)}))
    to = {"to_branch_id": units["tienluong-1"]}
    made(officer.post(f"/v1/members/{branch.guest}/transfers", json=to))
    with writing(database) as session:
        for model, values in (
            (Reminder, {"send_at": utc_now() - timedelta(minutes=1)}),
            (Transfer, {"due_on": local_today()}),
            (Reorganisation, {"state": ReorganisationState.scheduled}),
        ):
            session.execute(sa.update(model).values(values))


@pytest.fixture(scope="module")
def drill(
    clones: Clones,
    shared_app: FastAPI,
    shared_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("drill")
    with clones.clone() as url, empty_database(clones, folder) as empty:
        before = share_compiled(Database(make_settings(url)))
        api = served(shared_server, shared_app, before)
        units = units_by_name(before)
        outsiders(api, before, units)
        branch = Branch(api, before, units)
        all_sealed(before, branch)
        falls_due(before, branch, units)
        behind, ahead, late = (Follower(api, "phuongvi-1") for _ in range(3))
        behind.follow()
        lives_at(branch.officer, branch.other, "Khu 1")
        file = folder / "hoiso.backup"
        backing_up.back_up(settings_of(url), file, quietly)
        women = (branch.other, branch.guest)
        lost = {each: lives_at(branch.officer, each, "Khu 2") for each in women}
        ahead.follow()
        late.follow()
        restoring.restore(settings_of(empty), file, quietly, losses_accepted_by="the tests")
        restored = share_compiled(Database(make_settings(empty)))
        yield Drill(before, restored, branch, behind, ahead, late, lost)
        before.close()
        restored.close()


@pytest.fixture
def database(drill: Drill) -> Database:
    return drill.restored


class TestScope(test_sweep.TestWhatIsOutOfScope):
    """The sweep of every server, over what was backed up."""

    callers, of = 1, 3

    @pytest.fixture
    def branch(self, drill: Drill) -> Branch:
        return drill.branch


def test_every_sealed_field_opens(drill: Drill) -> None:
    for model, name in sealed():
        column = sa.inspect(model).local_table.c[name]
        opened = []
        for each in (drill.before, drill.restored):
            with each.reading() as db:
                found = sa.select(column).where(column.is_not(None))
                opened.append(sorted(db.execute(found).scalars()))
        assert opened[0] != [], (model, name)
        assert opened[0] == opened[1], (model, name)


def test_nothing_is_sent_by_itself(drill: Drill) -> None:
    database = drill.restored
    rows = everything(database)
    with database.reading() as db:
        waiting = due.waiting(db, manifest().due)
    assert min(waiting.values()) > 0, waiting
    upkeep.do_due(database)
    assert (job_workers.send_lost_again(database), jobs.work_off(database)) == (0, 0)
    after = everything(database)
    # Figures are counted from what is there.
    changed = {name for name in rows if rows[name] != after[name]}
    assert {name for name in changed if not name.startswith("figure_")} == set()


class TestFollowers:
    def test_who_is_not_ahead_goes_on(self, drill: Drill, api: Api) -> None:
        drill.behind.sign_in(api)
        drill.behind.follow()
        assert drill.behind.heard == []
        assert drill.behind.holds() == self.fresh(api)

    def test_who_is_ahead_hears_it_once(self, drill: Drill, api: Api) -> None:
        drill.ahead.sign_in(api)
        drill.ahead.follow()
        drill.ahead.follow()
        [heard] = drill.ahead.heard
        assert heard["reason"] == "ahead_of_log"
        assert drill.ahead.holds() == self.fresh(api)

    def test_who_comes_when_its_numbers_were_given_again(self, drill: Drill, api: Api) -> None:
        """It is not ahead by its number."""
        officer = api.as_("phuongvi")
        for number in range(5):
            lives_at(officer, drill.branch.head, f"Khu {number}")
        assert officer.get("/v1/changes?limit=1").json()["seq"] > drill.late.after
        drill.late.sign_in(api)
        drill.late.follow()
        drill.late.follow()
        assert [heard["reason"] for heard in drill.late.heard] == ["ahead_of_log"]
        assert drill.late.holds() == self.fresh(api)

    def fresh(self, api: Api) -> tuple[dict[int, bytes], dict[str, bytes]]:
        follower = Follower(api, "phuongvi-1")
        follower.follow()
        assert follower.members
        return follower.holds()


class TestTags:
    """The same revision was given twice, of records that are not the same."""

    def test_what_was_lost_is_not_taken_for_what_is_there(self, drill: Drill, api: Api) -> None:
        officer = api.as_("phuongvi")
        path, lost = f"/v1/members/{drill.branch.other}", drill.lost[drill.branch.other]
        given = lives_at(officer, drill.branch.other, "Khu 3")
        number = lost.strip('"').split("-")[0]
        assert given.startswith(f'"{number}.')
        mark = lost.removeprefix(f'"{number}')
        for stale in (lost, f'"{number}"', f'"{number}.00000000"', f'"{number}.00000000{mark}'):
            answer = officer.get(path, headers={"if-none-match": stale})
            assert (answer.status_code, answer.json()["address"]) == (200, "Khu 3")
            answer = officer.patch(path, json={"address": "Khu 4"}, headers={"if-match": stale})
            problem = refused(answer, 412, "stale_revision")
            assert problem["current_revision"] == int(number)
        assert officer.get(path, headers={"if-none-match": given}).status_code == 304
        one = officer.get(f"{path}?fields=address", headers={"if-none-match": given})
        assert (one.status_code, one.json()) == (200, {"address": "Khu 3"})
        tag = one.headers["etag"]
        assert tag != given
        assert tag.startswith(given.split("-")[0])
        answer = officer.patch(path, json={"address": "Khu 4"}, headers={"if-match": tag})
        assert (answer.status_code, answer.json()["revision"]) == (200, int(number) + 1)

    def test_what_holds_more_than_the_row(self, drill: Drill, api: Api) -> None:
        """Its tag marks what it says, and takes part in changes as others do."""
        officer, path = api.as_("phuongvi"), f"/v1/events/{drill.branch.ids['event_id']}"
        answer = officer.get(path)
        tag = answer.headers["etag"]
        revision = answer.json()["revision"]
        assert tag.startswith(f'"{revision}.')
        before = f'"{revision}-{tag[-9:]}'
        for stale in (before, f'"{revision}"'):
            assert officer.get(path, headers={"if-none-match": stale}).status_code == 200
            answer = officer.patch(path, json={"title": "Mới"}, headers={"if-match": stale})
            refused(answer, 412, "stale_revision")
        assert officer.get(path, headers={"if-none-match": tag}).status_code == 304
        answer = officer.patch(path, json={"title": "Mới"}, headers={"if-match": tag})
        assert answer.status_code == 200, answer.text
