"""Members on a past day: where they stood, what their records said, and who may see that."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access_log import AccessRead, ReadHow
from app.models.members.members import Member
from app.services.privacy import wiping
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.helpers.past import entered_long_ago
from tests.helpers.reading import Reading
from tests.members.members import CSV, HEAD_MASKED, NDJSON, everyone

NAME = "Đặng Thị Kim Thoa"
FILTERS_OF_TODAY = (
    *("q=hoa", "status=active", "kind=honorary", "gender=female", "age_from=60", "age_to=30"),
    *("joined_from=2020-01-01", "joined_to=2020-01-01", "core=true", "party=member"),
    *("ethnicity=01", "religion=catholic", "education=primary", "qualification=college"),
    *("household=00000000-0000-7000-8000-000000000000", "group=1"),
)


def ago(days: int) -> date:
    return local_today() - timedelta(days=days)


def record(api: Api, member_id: object, day: date | str) -> Json:
    return done(api.get(f"/v1/members/{member_id}?as_of={day}"))


def listed(api: Api, day: date | str, query: str = "") -> dict[str, Json]:
    return {each["id"]: each for each in everyone(api, f"/v1/members?as_of={day}{query}")}


def people(api: Api, day: date | str, query: str = "") -> int:
    found: int = done(api.get(f"/v1/members/count?as_of={day}{query}"))["people"]
    return found


def admitted(api: Api, branch_id: int, **more: object) -> Json:
    body = {"branch_id": branch_id, "full_name": NAME, "birth_date": "1971", "joined_on": None}
    return made(api.post("/v1/members", json=body | more))


def transferred(api: Api, member_id: object, to: int, on: date) -> None:
    body = {"to_branch_id": to, "effective_on": on.isoformat()}
    made(api.post(f"/v1/members/{member_id}/transfers", json=body))


@pytest.fixture
def her(database: Database, unit_id: UnitIds) -> Member:
    return free_members(database, unit_id["phuongvi-1"])[0]


class TestRecord:
    def test_is_as_the_log_had_it(self, officer: Api, her: Member, database: Database) -> None:
        old = {"phone": "0912345678", "citizen_id": "025171000123", "religion": "buddhist"}
        done(officer.patch(f"/v1/members/{her.id}", json=old | {"kind": "honorary"}))
        entered_long_ago(database)
        before = done(officer.get(f"/v1/members/{her.id}"))
        new = {"full_name": NAME, "phone": None, "citizen_id": "025171000124", "religion": None}
        new |= {"kind": "regular", "party": "introduced", "birth_date": "1971-04"}
        done(officer.patch(f"/v1/members/{her.id}", json=new))
        today = done(officer.get(f"/v1/members/{her.id}"))
        assert (today["full_name"], today["phone"], today["not_dated"]) == (NAME, None, [])
        then = record(officer, her.id, ago(1))
        assert then == before | {"revision": today["revision"]}
        assert then["phone"] == "+84912345678"
        assert listed(officer, ago(1))[str(her.id)] == then
        assert record(officer, her.id, local_today()) == today

    def test_names_what_is_as_it_is_today(self, officer: Api, unit_id: UnitIds) -> None:
        """She joined long before she was entered."""
        made_today = admitted(officer, unit_id["phuongvi-1"], joined_on="2015-03-08", phone=None)
        then = record(officer, made_today["id"], "2015-03-08")
        assert {"full_name", "phone", "kind", "household_id"} <= set(then["not_dated"])
        of_the_spells = {"status", "branch_id", "commune_id", "province_id"}
        assert set(then["not_dated"]) & (of_the_spells | {"id", "revision", "restricted"}) == set()
        assert (then["full_name"], then["status"]) == (NAME, "active")
        assert listed(officer, "2015-03-08")[made_today["id"]] == then

    def test_is_not_found_before_she_was_in_the_union(self, officer: Api, unit_id: UnitIds) -> None:
        branch = unit_id["phuongvi-1"]
        dated = admitted(officer, branch, joined_on="2015-03-08")["id"]
        undated = admitted(officer, branch, full_name="Hà Thị Mơ", birth_date="1980")["id"]
        for member_id, day in ((dated, "2015-03-07"), (undated, ago(1))):
            refused(officer.get(f"/v1/members/{member_id}?as_of={day}"), 404, "not_found")
            assert member_id not in listed(officer, day)
        assert record(officer, undated, local_today())["status"] == "active"

    def test_says_whether_she_was_in_the_union(
        self, officer: Api, unit_id: UnitIds, database: Database
    ) -> None:
        gone, dead = free_members(database, unit_id["phuongvi-1"])[:2]
        left = {"reason": "other", "effective_on": ago(30).isoformat()}
        made(officer.post(f"/v1/members/{gone.id}/departures", json=left))
        made(officer.post(f"/v1/members/{dead.id}/death", json={"died_on": ago(30).isoformat()}))
        back = {"branch_id": unit_id["phuongvi-2"], "effective_on": ago(10).isoformat()}
        made(officer.post(f"/v1/members/{gone.id}/readmissions", json=back))
        entered_long_ago(database)
        for day, status, where in (
            (ago(31), "active", "phuongvi-1"),
            (ago(30), "left", "phuongvi-1"),
            (ago(11), "left", "phuongvi-1"),
            (ago(10), "active", "phuongvi-2"),
        ):
            then = record(officer, gone.id, day)
            assert (then["status"], then["branch_id"]) == (status, unit_id[where]), day
            assert (str(gone.id) in listed(officer, day)) is (status == "active"), day
        first_day_without_her = ago(29)
        statuses = [
            record(officer, dead.id, day)["status"] for day in (ago(31), first_day_without_her)
        ]
        assert statuses == ["active", "deceased"]

    def test_says_that_a_transfer_was_under_way(
        self, api: Api, her: Member, unit_id: UnitIds, database: Database
    ) -> None:
        body = {"to_branch_id": unit_id["tienluong-1"]}
        path = f"/v1/members/{her.id}/transfers"
        asked = made(api.as_("phuongvi-1").post(path, json=body))
        entered_long_ago(database)
        done(api.as_("tienluong-1").post(f"/v1/transfers/{asked['id']}/accept"))
        district = api.as_("camkhe")
        then = record(district, her.id, ago(1))
        assert (then["status"], then["branch_id"]) == ("transferring", unit_id["phuongvi-1"])
        assert listed(district, ago(1))[str(her.id)] == then
        assert record(district, her.id, local_today())["branch_id"] == unit_id["tienluong-1"]

    def test_of_an_id_that_was_merged_away_is_the_kept_one(
        self, officer: Api, unit_id: UnitIds, database: Database
    ) -> None:
        branch = unit_id["phuongvi-1"]
        kept = admitted(officer, branch, joined_on="2010-03-08", phone="0912345678")
        other = admitted(officer, branch, joined_on="2012-10-20", birth_date="1971-04-09")
        entered_long_ago(database)
        merge = {"other_id": other["id"], "reason": "Cùng một người"}
        made(officer.post(f"/v1/members/{kept['id']}/merges", json=merge))
        assert done(officer.get(f"/v1/members/{kept['id']}"))["birth_date"] == "1971-04-09"
        answer = officer.get(f"/v1/members/{other['id']}?as_of={ago(1)}")
        assert answer.headers["content-location"] == f"/v1/members/{kept['id']}"
        then = done(answer)
        assert (then["id"], then["birth_date"], then["not_dated"]) == (kept["id"], "1971", [])
        found = [each for each in listed(officer, ago(1)).values() if each["full_name"] == NAME]
        assert found == [then]


class TestPlace:
    def test_is_the_branch_of_then(
        self, officer: Api, her: Member, unit_id: UnitIds, database: Database
    ) -> None:
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        transferred(officer, her.id, new, ago(30))
        for day, where, elsewhere in ((ago(31), old, new), (ago(30), new, old)):
            assert record(officer, her.id, day)["branch_id"] == where
            assert listed(officer, day, f"&branch={where}")[str(her.id)]["branch_id"] == where
            assert str(her.id) not in listed(officer, day, f"&unit={elsewhere}")

    def test_who_may_see_her_is_decided_by_where_she_is_today(
        self, api: Api, officer: Api, her: Member, unit_id: UnitIds
    ) -> None:
        transferred(officer, her.id, unit_id["phuongvi-2"], ago(30))
        before = api.as_("phuongvi-1")
        refused(before.get(f"/v1/members/{her.id}?as_of={ago(31)}"), 404, "not_found")
        found = listed(before, ago(31))
        assert found
        assert str(her.id) not in found
        now = api.as_("phuongvi-2")
        assert record(now, her.id, ago(31))["branch_id"] == unit_id["phuongvi-1"]
        # She was in another branch than those of this list.
        assert str(her.id) not in listed(now, ago(31))
        assert str(her.id) in listed(now, ago(30))

    def test_is_in_the_units_of_then(self, api: Api, unit_id: UnitIds) -> None:
        """A branch goes to another commune today."""
        province, branch = api.as_("phutho"), unit_id["phuongvi-4"]
        old, new = unit_id["phuongvi"], unit_id["tienluong"]
        hers = set(listed(province, local_today(), f"&branch={branch}"))
        body = {"parent_id": new, "effective_on": local_today().isoformat()}
        done(province.post(f"/v1/units/{branch}/moves", json=body))
        day = ago(1)
        then = listed(province, day, f"&unit={old}")
        assert hers <= then.keys()
        assert {then[each]["commune_id"] for each in hers} == {old}
        assert len(then) == people(province, day, f"&unit={old}")
        assert hers & listed(province, day, f"&unit={new}").keys() == set()
        as_is = listed(province, day, f"&unit={new}&hierarchy=as_is")
        assert {as_is[each]["commune_id"] for each in hers} == {old}
        in_old_tree = listed(province, local_today(), f"&unit={old}&hierarchy={day}")
        assert {in_old_tree[each]["commune_id"] for each in hers} == {new}
        assert listed(province, day) == listed(province, day, "&hierarchy=as_is")
        one = next(iter(hers))
        assert record(province, one, day) == then[one]
        # The old commune has no right over them any more; the new one reads their past.
        left = api.as_("phuongvi")
        refused(left.get(f"/v1/members/{one}?as_of={day}"), 404, "not_found")
        assert listed(left, day).keys() == then.keys() - hers
        refused(left.get(f"/v1/members?unit={old}&hierarchy={day}"), 403, "forbidden")
        assert record(api.as_("tienluong"), one, day) == then[one]


class TestPrivacy:
    def test_what_is_masked_today_is_masked_then(
        self, api: Api, officer: Api, her: Member, database: Database
    ) -> None:
        path = f"/v1/members/{her.id}"
        done(officer.patch(path, json={"religion": "catholic", "party": "member"}))
        entered_long_ago(database)
        done(officer.patch(path, json={"religion": None, "party": None}))
        head = api.as_("phuongvi-1")
        for day in (ago(1), "2024-06-01"):
            for then in (record(head, her.id, day), listed(head, day)[str(her.id)]):
                assert then["masked"] == HEAD_MASKED
                assert {then[name] for name in HEAD_MASKED} == {None}
                assert set(then["not_dated"]) & set(HEAD_MASKED) == set()
        assert record(officer, her.id, ago(1))["religion"] == "catholic"

    @pytest.mark.parametrize("how", [ReadHow.detail, ReadHow.list, ReadHow.export])
    def test_that_a_value_of_then_was_shown_is_noted(
        self, api: Api, officer: Api, her: Member, database: Database, how: ReadHow
    ) -> None:
        done(officer.patch(f"/v1/members/{her.id}", json={"id_card": "131234567"}))
        entered_long_ago(database)
        done(officer.patch(f"/v1/members/{her.id}", json={"id_card": None}))
        serving(api.app).access_log.flush()
        with writing(database) as session:
            session.execute(sa.delete(AccessRead))
        form = "&format=ndjson" if how is ReadHow.export else ""
        address = f"/{her.id}?" if how is ReadHow.detail else f"?limit=200{form}&"
        shown = officer.get(f"/v1/members{address}as_of={ago(1)}")
        assert "131234567" in shown.text
        serving(api.app).access_log.flush()
        with writing(database) as session:
            of_hers = select(AccessRead).where(col(AccessRead.member_id) == her.id)
            notes = {row.how: row.fields for row in session.exec(of_hers)}
        assert notes.keys() == {how}
        assert "id_card" in notes[how].split(",")

    def test_a_restriction_of_today_holds_for_the_past(
        self, api: Api, officer: Api, her: Member, database: Database
    ) -> None:
        entered_long_ago(database)
        limits = f"/v1/members/{her.id}/processing-limits"
        made(officer.post(limits, json={"kind": "restriction"}))
        head, day = api.as_("phuongvi-1"), ago(1)
        assert record(head, her.id, day)["restricted"] is True
        assert listed(head, day, "&restricted=true").keys() == {str(her.id)}
        assert str(her.id) not in head.get(f"/v1/members?as_of={day}", headers=CSV).text
        assert str(her.id) in officer.get(f"/v1/members?as_of={day}", headers=CSV).text

    def test_who_was_erased_is_shown_on_no_day(
        self, officer: Api, her: Member, database: Database
    ) -> None:
        entered_long_ago(database)
        done(officer.patch(f"/v1/members/{her.id}", json={"address": "Khu 3"}))
        with database.writing() as session:
            attributed(session)
            person = wiping.find_person(session, her.id, her.full_name, her.birth_date)
            wiping.wipe(session, person)
        for day in (ago(1), "2024-06-01"):
            refused(officer.get(f"/v1/members/{her.id}?as_of={day}"), 404, "member_erased")
            assert str(her.id) not in listed(officer, day)


class TestList(Reading):
    def test_is_as_long_as_the_count_however_it_is_paged(self, api: Api) -> None:
        province, day = api.as_("phutho"), "2020-06-30"
        found = everyone(province, f"/v1/members?as_of={day}")
        assert len(found) == people(province, day) > 100
        assert everyone(province, f"/v1/members?as_of={day}", limit=7 * 7) == found
        assert everyone(province, "/v1/members?as_of=1950-01-01") == []

    def test_of_today_is_the_list_of_today(self, officer: Api) -> None:
        assert everyone(officer, f"/v1/members?as_of={local_today()}") == everyone(officer)

    @pytest.mark.parametrize("path", ["/v1/members", "/v1/members/{id}"])
    def test_a_day_to_come_is_refused(self, officer: Api, path: str) -> None:
        some: Any = everyone(officer)[0]["id"]
        answer = officer.get(f"{path.format(id=some)}?as_of={ago(-1)}")
        pointed(answer, "/as_of", "date_in_future")

    def test_a_filter_of_today_is_refused(self, officer: Api) -> None:
        for asked in FILTERS_OF_TODAY:
            pointer = f"/{asked.partition('=')[0]}"
            for past in ("as_of=2024-12-31", "hierarchy=2024-12-31"):
                pointed(officer.get(f"/v1/members?{past}&{asked}"), pointer, "filter_not_dated")
            today = officer.get(f"/v1/members?as_of={local_today()}&{asked}")
            assert "filter_not_dated" not in today.text

    def test_a_unit_out_of_reach_is_unknown(self, officer: Api, unit_id: UnitIds) -> None:
        path = f"/v1/members?as_of=2024-12-31&unit={unit_id['tienluong']}"
        pointed(officer.get(path), "/unit", "unit_unknown")


def test_a_file_says_what_is_not_dated(officer: Api, unit_id: UnitIds, database: Database) -> None:
    entered_long_ago(database)
    new = admitted(officer, unit_id["phuongvi-1"], joined_on="2015-03-08")["id"]
    path = f"/v1/members?as_of={ago(1)}"
    file = officer.get(path, headers=CSV).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(file)))
    told = {row["Mã"]: row["Trường lấy theo hôm nay"] for row in rows}
    assert "full_name" in told.pop(new).split()
    assert set(told.values()) == {""}
    lines = [line for line in officer.get(path, headers=NDJSON).text.splitlines() if new in line]
    assert len(lines) == 1
    assert '"not_dated":["full_name"' in lines[0]
