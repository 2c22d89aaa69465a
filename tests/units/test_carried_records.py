"""Records whose branch goes to another commune: the log has the move of the unit, and none of theirs."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.models.kernel.changes import Operation
from app.models.members.members import Member
from app.services.kernel import changes
from app.services.kernel.manifest import tracked_of
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed, home
from tests.kernel.changes import account, done, head, someone
from tests.reorganisations.elsewhere import to_another_province
from tests.units.units import ago, moved


class Moving:
    """A branch of Phượng Vĩ that goes to Tiên Lương, with somebody of it."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.api, self.database = api, database
        self.branch, self.to = unit_id["phuongvi-4"], unit_id["phuongvi-3"]
        self.old, self.new = unit_id["phuongvi"], unit_id["tienluong"]
        self.province = unit_id["phutho"]
        self.one = someone(api.as_("phutho"), self.branch)["id"]
        self.path = f"/v1/members/{self.one}"

    def go(self, parent: int) -> None:
        moved(self.api.as_("camkhe"), self.branch, parent, ago(0))

    def transfer(self, branch: int) -> None:
        body = {"to_branch_id": branch, "effective_on": ago(0)}
        done(self.api.as_("phutho").post(f"{self.path}/transfers", json=body))

    def history(self, who: str, entity: str = "member", of: str | None = None) -> Json:
        query = f"entity={entity}&entity_id={of or self.one}"
        return done(self.api.as_(who).get(f"/v1/changes/history?{query}"))

    def communes(self, who: str, entity: str = "member", of: str | None = None) -> list[int]:
        return values(self.history(who, entity, of), "commune_id")


def values(history: Json, name: str) -> list[int]:
    [field] = [each for each in history["fields"] if each["field"] == name]
    assert [each["seq"] for each in field["values"]] == sorted(
        each["seq"] for each in field["values"]
    )
    return [each["value"] for each in field["values"]]


@pytest.fixture
def moving(api: Api, database: Database, unit_id: UnitIds) -> Moving:
    return Moving(api, database, unit_id)


def test_they_keep_their_revision_and_have_no_change_of_their_own(moving: Moving) -> None:
    since = head(moving.database)
    moving.go(moving.new)
    with writing(moving.database) as session:
        people = sa.select(col(Member.commune_id), col(Member.revision))
        rows = session.execute(people.where(col(Member.branch_id) == moving.branch)).all()
    assert len(rows) > 5
    assert {*rows} == {(moving.new, 1)}
    head(moving.database)
    news = done(moving.api.as_("phutho").get(f"/v1/changes?after={since}"))["items"]
    assert {each["entity"] for each in news} == {"unit", "reorganisation"}


def test_their_tag_is_another_and_the_one_of_before_is_good_for_a_change(moving: Moving) -> None:
    officer = moving.api.as_("phutho")
    tag = officer.get(moving.path).headers["etag"]
    moving.go(moving.new)
    after = officer.get(moving.path, headers={"if-none-match": tag})
    assert (after.status_code, after.json()["commune_id"]) == (200, moving.new)
    assert after.json()["revision"] == 1
    again = officer.get(moving.path, headers={"if-none-match": after.headers["etag"]})
    assert again.status_code == 304
    changed = officer.patch(moving.path, json={"address": "Khu 9"}, headers={"if-match": tag})
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)


def test_the_history_has_where_the_unit_went_and_by_whom(moving: Moving) -> None:
    moving.go(moving.new)
    history = moving.history("phutho")
    assert values(history, "commune_id") == [moving.old, moving.new]
    assert values(history, "province_id") == [moving.province]
    assert history["revision"] == 1
    [field] = [each for each in history["fields"] if each["field"] == "commune_id"]
    mover = str(account(moving.database, "camkhe").id)
    assert field["values"][-1]["account_id"] == mover
    assert len(history["fields"]) > 10


def test_each_side_reads_its_part_of_it(moving: Moving) -> None:
    moving.go(moving.new)
    assert moving.communes("phuongvi") == [moving.old, moving.new]
    gaining = moving.history("tienluong")
    assert [each["field"] for each in gaining["fields"]] == ["commune_id"]
    assert values(gaining, "commune_id") == [moving.new]
    assert gaining["revision"] == 1
    for who in ("phuongvi-1", "tienluong-1"):
        query = f"entity=member&entity_id={moving.one}"
        answer = moving.api.as_(who).get(f"/v1/changes/history?{query}")
        refused(answer, 404, "not_found")
    assert moving.api.as_("phuongvi").get(moving.path).status_code == 404
    assert moving.api.as_("tienluong").get(moving.path).status_code == 200


def test_what_is_masked_stays_masked_where_only_the_move_is_read(moving: Moving) -> None:
    moving.go(moving.new)
    whole = moving.history("tienluong")["masked"]
    assert whole == []
    auditor = moving.history("auditor")
    assert "phone" in auditor["masked"]
    assert values(auditor, "commune_id") == [moving.old, moving.new]


def test_a_commune_that_goes_to_another_province_says_the_province(
    moving: Moving, unit_id: UnitIds
) -> None:
    since = head(moving.database)
    other = to_another_province(moving.api, moving.database, unit_id, moving.old)
    record = done(moving.api.as_("phutho").get(moving.path))
    assert (record["province_id"], record["revision"]) == (other, 1)
    history = moving.history("phutho")
    assert values(history, "province_id") == [moving.province, other]
    assert values(history, "commune_id") == [moving.old]
    assert values(moving.history("phuongvi"), "province_id") == [moving.province, other]
    head(moving.database)
    news = done(moving.api.as_("phutho").get(f"/v1/changes?after={since}&kinds=member"))
    assert news["items"] == []


def test_there_and_back(moving: Moving) -> None:
    moving.go(moving.new)
    [own] = done(moving.api.as_("phutho").get(f"/v1/reorganisations?unit={moving.branch}"))["items"]
    done(moving.api.as_("phutho").post(f"/v1/reorganisations/{own['id']}/revert", json={}))
    assert moving.communes("phutho") == [moving.old, moving.new, moving.old]
    assert moving.communes("tienluong") == [moving.new, moving.old]


def test_who_had_gone_before_is_not_where_the_unit_went(moving: Moving) -> None:
    moving.transfer(moving.to)
    moving.go(moving.new)
    assert moving.communes("phutho") == [moving.old]
    query = f"entity=member&entity_id={moving.one}"
    answer = moving.api.as_("tienluong").get(f"/v1/changes/history?{query}")
    refused(answer, 404, "not_found")


def test_who_goes_afterwards_leaves_from_where_the_unit_went(moving: Moving) -> None:
    moving.go(moving.new)
    moving.transfer(moving.to)
    assert moving.communes("phutho") == [moving.old, moving.new, moving.old]
    assert moving.communes("tienluong") == [moving.new, moving.old]


def test_households_go_in_the_same_way(moving: Moving) -> None:
    home_id = str(home(moving.database, moving.branch))
    since = head(moving.database)
    moving.go(moving.new)
    household = done(moving.api.as_("tienluong").get(f"/v1/households/{home_id}"))
    assert (household["commune_id"], household["revision"]) == (moving.new, 1)
    news = done(moving.api.as_("phutho").get(f"/v1/changes?after={since}&kinds=household"))
    assert news["items"] == []
    assert moving.communes("phutho", "household", home_id) == [moving.old, moving.new]
    assert moving.communes("tienluong", "household", home_id) == [moving.new]


def test_a_log_that_has_both_moves_says_each_place_once(moving: Moving) -> None:
    """As versions before 0.4 wrote it: after the move of the unit one of each record."""
    moving.go(moving.new)
    with writing(moving.database) as session:
        attributed(session)
        tracked = tracked_of(Member)
        row = session.get_one(Member, UUID(moving.one)).model_dump() | {"revision": 2}
        old = row | {"commune_id": moving.old}
        change = changes.change_of(session, tracked, row, Operation.moved)
        change |= {"before": {"commune_id": moving.old}, "after": {"commune_id": moving.new}}
        places = changes.places_of(session, tracked, Operation.moved, old, row)
        changes.write(session, [(change, places)])
    head(moving.database)
    assert moving.communes("phutho") == [moving.old, moving.new]
