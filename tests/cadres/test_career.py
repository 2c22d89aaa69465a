"""A career on one line of time."""

from datetime import timedelta
from uuid import uuid4

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.members.spells import Membership
from tests.helpers.answers import refused
from tests.helpers.cadres import Ids, account, appoint, done, forbidden, free_members, made
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.reading import Reading


def day(offset: int) -> str:
    return (local_today() + timedelta(days=offset)).isoformat()


class TestGetCareer:
    def test_tells_everything_in_order(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phuongvi"), free_members(database, unit_id["phuongvi-2"])[0]
        commune, joined = unit_id["phuongvi"], "2010-03-08"
        with writing(database) as session:
            session.execute(
                sa.update(Membership)
                .where(col(Membership.member_id) == member.id)
                .values(valid_from=local_today().replace(year=2010, month=3, day=8))
            )
        team = {
            "level": "group",
            "group_kind": "team",
            "name": "Tổ 1",
            "parent_id": unit_id["phuongvi-2"],
            "opened_on": "2019-01-01",
        }
        group = made(officer.post("/v1/units", json=team))["id"]
        made(
            officer.post(
                f"/v1/groups/{group}/participations",
                json={"member_id": str(member.id), "valid_from": "2020-01-01"},
            )
        )
        course = {"kind": "informatics", "name": "Tin học", "completed_on": "2015-05-05"}
        undated = {"kind": "language", "name": "Tiếng Anh", "level": "A2"}
        for body in (course, undated):
            made(officer.post(f"/v1/members/{member.id}/trainings", json=body))
        post = made(
            appoint(
                officer,
                member,
                commune,
                "standing_member",
                title="Uỷ viên",
                decision_number="1/QĐ",
                valid_from="2021-07-01",
            )
        )
        end = {"reason": "resigned", "effective_on": "2024-01-01", "note": "Xin thôi"}
        done(officer.post(f"/v1/appointments/{post['id']}/end", json=end))
        mistake = made(appoint(officer, member, commune))
        wrong = {"reason": "mistake"}
        done(officer.post(f"/v1/appointments/{mistake['id']}/end", json=wrong))
        left = {"reason": "moved_away", "effective_on": day(0)}
        made(officer.post(f"/v1/members/{member.id}/departures", json=left))

        career = done(officer.get(f"/v1/members/{member.id}/career"))
        assert (career["member_id"], career["hidden"]) == (str(member.id), [])
        told = [
            (item["on"], item["valid_to"], item["kind"], item["unit"] and item["unit"]["id"])
            for item in career["items"]
        ]
        branch = unit_id["phuongvi-2"]
        assert told == [
            (None, None, "training", None),
            (joined, day(-1), "admitted", branch),
            ("2015-05-05", "2015-05-05", "training", None),
            ("2020-01-01", day(-1), "group", group),
            ("2021-07-01", "2023-12-31", "post_taken", commune),
            ("2024-01-01", None, "post_ended", commune),
            (day(0), None, "left", branch),
        ]
        taken = career["items"][4]
        assert taken == {
            "on": "2021-07-01",
            "valid_to": "2023-12-31",
            "kind": "post_taken",
            "record_id": post["id"],
            "unit": {"id": commune, "level": "commune", "name": "Xã Phượng Vĩ"},
            "title": "Uỷ viên",
            "post": "standing_member",
            "acting": False,
            "training": None,
            "reason": None,
            "note": "1/QĐ",
        }
        assert (career["items"][5]["reason"], career["items"][5]["note"]) == (
            "resigned",
            "Xin thôi",
        )
        assert career["items"][6]["reason"] == "moved_away"
        english = career["items"][0]
        assert (english["title"], english["training"], english["note"]) == (
            "Tiếng Anh",
            "language",
            "A2",
        )

    def test_what_takes_another_right_is_hidden_and_named(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        chair, reader = account(database, "phuongvi"), account(database, "member")
        path = f"/v1/members/{chair.member_id}/career"
        whole = done(api.as_("phuongvi-1").get(path))
        assert [item["kind"] for item in whole["items"]].count("post_taken") == 1
        with writing(database) as session:
            session.execute(
                sa.insert(Grant).values(
                    id=uuid4(),
                    account_id=reader.id,
                    unit_id=unit_id["phuongvi-1"],
                    role=Role.delegate,
                    rights=["members:read"],
                    valid_from=local_today(),
                    revision=1,
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )
        part = done(api.as_("member").get(path))
        assert [item["kind"] for item in part["items"]] == ["admitted"]
        assert part["hidden"] == ["appointments", "trainings"]


class TestWhoMay(Reading):
    def test_who_sees_the_member(self, api: Api, database: Database) -> None:
        path = f"/v1/members/{account(database, 'phuongvi').member_id}/career"
        refused(api.get(path), 401, "not_authenticated")
        for name in ("tienluong", "phuongvi-2"):
            refused(api.as_(name).get(path), 404, "not_found")
        for name in ("admin", "member"):
            forbidden(api.as_(name).get(path), "members:read")
        refused(api.as_("phutho").get(f"/v1/members/{uuid4()}/career"), 404, "not_found")
        kinds = [item["kind"] for item in done(api.as_("auditor").get(path))["items"]]
        assert sorted(kinds) == ["admitted", "post_taken"]

    def test_costs_a_query_for_each_of_its_sources(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/members/{account(database, 'phuongvi').member_id}/career"
        with counted(database) as statements:
            done(officer.get(path))
        with counted(database) as before:
            done(officer.get("/v1/posts"))
        assert len(statements) == len(before) + 5
