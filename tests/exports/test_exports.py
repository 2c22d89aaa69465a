"""Exports: whole records of one moment, as lists show them to who asked, in files."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today, utc_now
from app.db import Database
from app.models.exports.exports import BulkExport
from app.models.files.files import StoredFile
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.services.exports import keeping, making
from app.services.kernel import upkeep
from tests.exports.asking import Work, exported, household, rows_of
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, writing
from tests.helpers.phone import listed
from tests.kernel.changes import done
from tests.kernel.changes import head as newest
from tests.privacy.test_erased_phones import erase


def without(rows: dict[str, Json], *fields: str) -> dict[str, Json]:
    return {
        key: {name: value for name, value in row.items() if name not in fields}
        for key, row in rows.items()
    }


class TestContent:
    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "phutho", "auditor"])
    def test_it_is_what_the_lists_say(
        self, api: Api, database: Database, work: Work, username: str
    ) -> None:
        mine = api.as_(username)
        last = newest(database)
        manifest = exported(mine, work, kinds=["member", "unit"])
        assert manifest["seq"] == last
        members = listed(mine, "/v1/members", restricted="false")
        assert rows_of(mine, manifest, "member") == without(members, "not_dated")
        units = listed(mine, "/v1/units", include_closed="true")
        assert rows_of(mine, manifest, "unit") == without(units, "member_count")
        # Parents come first.
        assert [file["kind"] for file in manifest["files"]] == ["unit", "member"]

    def test_all_that_may_be_read(self, officer: Api, work: Work) -> None:
        manifest = exported(officer, work)
        assert [file["kind"] for file in manifest["files"]] == manifest["kinds"]
        assert {"unit", "member", "household", "assessment", "attendance"} <= {*manifest["kinds"]}

    def test_rows_are_not_of_the_last_year_alone(
        self, officer: Api, unit_id: UnitIds, work: Work
    ) -> None:
        """What a phone forgets is in a file."""
        somebody = done(officer.get("/v1/members?limit=1"))["items"][0]
        home = household(officer, somebody["branch_id"], somebody["id"])
        path, ids = f"/v1/households/{home}/visits", set()
        for days in (3, 900):
            on = (local_today() - timedelta(days=days)).isoformat()
            body = {"visited_on": on, "visitors": ["Lan"], "note": "Cần sửa mái"}
            ids.add(done(officer.post(path, json=body))["id"])
        assert {*rows_of(officer, exported(officer, work, kinds=["visit"]), "visit")} == ids

    def test_pages_of_rows_are_put_together(
        self, officer: Api, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = rows_of(officer, exported(officer, work, kinds=["member"]), "member")
        monkeypatch.setattr(making, "_PAGE", 3)
        assert rows_of(officer, exported(officer, work, kinds=["member"]), "member") == whole

    def test_a_unit_of_mine(self, officer: Api, work: Work, unit_id: UnitIds) -> None:
        manifest = exported(officer, work, kinds=["member"], unit=unit_id["phuongvi-1"])
        rows = rows_of(officer, manifest, "member")
        assert {row["branch_id"] for row in rows.values()} == {unit_id["phuongvi-1"]}

    def test_chosen_fields(self, officer: Api, work: Work) -> None:
        fields = {"member": ["phone", "full_name"]}
        manifest = exported(officer, work, kinds=["member", "unit"], fields=fields)
        rows = rows_of(officer, manifest, "member")
        assert {tuple(row) for row in rows.values()} == {("id", "full_name", "phone")}
        by_kind = {file["kind"]: file["columns"] for file in manifest["files"]}
        assert by_kind["member"] == ["id", "full_name", "phone"]
        assert "name" in by_kind["unit"]

    def test_a_restricted_record_does_not_leave(
        self, officer: Api, database: Database, work: Work
    ) -> None:
        [somebody] = done(officer.get("/v1/members?limit=1"))["items"]
        with writing(database) as session:
            hers = sa.update(Member).where(col(Member.id) == UUID(somebody["id"]))
            session.execute(hers.values(restricted=True))
        rows = rows_of(officer, exported(officer, work, kinds=["member"]), "member")
        assert rows
        assert somebody["id"] not in rows


class TestJob:
    def test_it_is_being_made_until_it_is_ready(self, officer: Api, work: Work) -> None:
        answer = officer.post("/v1/exports", json={"kinds": ["unit"]})
        asked = done(answer)
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/exports/{asked['id']}"
        assert (asked["state"], asked["files"], asked["seq"]) == ("making", [], None)
        work()
        ready = done(officer.get(answer.headers["location"]))
        assert ready["state"] == "ready"
        assert ready["progress"]["done"] == ready["files"][0]["rows"]

    def test_only_its_own_are_shown(self, officer: Api, head: Api, work: Work) -> None:
        mine = exported(officer, work, kinds=["unit"])
        refused(head.get(f"/v1/exports/{mine['id']}"), 404, "not_found")
        refused(head.get(mine["files"][0]["path"]), 404, "not_found")
        assert done(head.get("/v1/exports"))["items"] == []
        assert [each["id"] for each in done(officer.get("/v1/exports"))["items"]] == [mine["id"]]

    def test_a_file_that_it_does_not_have(self, officer: Api, work: Work) -> None:
        mine = exported(officer, work, kinds=["unit"])
        refused(officer.get(f"/v1/exports/{mine['id']}/files/member.ndjson"), 404, "not_found")

    def test_done_again_it_is_one_of_one_moment(
        self, officer: Api, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job that is broken off leaves nothing that the second attempt could be mixed with."""
        attempts = []
        write = making._Making._write

        def broken_off(self: making._Making, *given: Any) -> None:
            write(self, *given)
            attempts.append(given)
            if len(attempts) == 1:
                raise sa.exc.OperationalError("SELECT 1", {}, Exception("away"))

        monkeypatch.setattr(making._Making, "_write", broken_off)
        monkeypatch.setattr("app.services.kernel.jobs._PAUSES", (0,))
        manifest = exported(officer, work, kinds=["unit", "member"])
        assert len(attempts) == 3
        assert [file["kind"] for file in manifest["files"]] == ["unit", "member"]


class TestRefusals:
    def test_kinds_without_the_right_are_named(self, api: Api, database: Database) -> None:
        admin = api.as_("admin")
        problem = refused(
            admin.post("/v1/exports", json={"kinds": ["unit", "household", "member"]}),
            403,
            "forbidden",
        )
        assert problem["required_right"] == "members:read"
        assert [error["pointer"] for error in problem["errors"]] == ["/kinds/1", "/kinds/2"]
        with writing(database) as session:
            assert session.execute(sa.select(sa.func.count()).select_from(BulkExport)).scalar() == 0

    def test_a_unit_out_of_scope(self, head: Api, unit_id: UnitIds) -> None:
        answer = head.post("/v1/exports", json={"kinds": ["unit"], "unit": unit_id["tienluong"]})
        pointed(answer, "/unit", "unit_unknown")

    def test_what_is_not_there(self, officer: Api) -> None:
        pointed(officer.post("/v1/exports", json={"kinds": ["secret"]}), "/kinds/0", "not_in_list")
        for fields, pointer in (
            ({"member": ["full_name", "sort_key"]}, "/fields/member/1"),
            ({"household": ["id"]}, "/fields/household"),
        ):
            answer = officer.post("/v1/exports", json={"kinds": ["member"], "fields": fields})
            pointed(answer, pointer, "not_in_list")

    def test_many_at_once(self, officer: Api, work: Work) -> None:
        answers = [officer.post("/v1/exports", json={"kinds": ["unit"]}) for _ in range(10)]
        assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 7
        refused(answers[-1], 429, "exports_waiting")
        assert int(answers[-1].headers["retry-after"]) > 0
        work()
        assert officer.post("/v1/exports", json={"kinds": ["unit"]}).status_code == 202


class TestKeeping:
    def test_files_expire(self, officer: Api, database: Database, work: Work) -> None:
        mine = exported(officer, work, kinds=["unit"])
        with writing(database) as session:
            late = sa.update(BulkExport).values(expires_at=utc_now() - timedelta(seconds=1))
            session.execute(late)
        refused(officer.get(mine["files"][0]["path"]), 410, "export_expired")
        upkeep.do_due(database)
        manifest = done(officer.get(f"/v1/exports/{mine['id']}"))
        assert (manifest["state"], manifest["files"]) == ("expired", [])
        refused(officer.get(mine["files"][0]["path"]), 410, "export_expired")
        with writing(database) as session:
            assert session.execute(sa.select(sa.func.count()).select_from(StoredFile)).scalar() == 0

    def test_an_erasure_takes_them_along(self, api: Api, officer: Api, work: Work) -> None:
        mine = exported(officer, work, kinds=["unit", "member"])
        erase(api, next(iter(rows_of(officer, mine, "member"))))
        for file in mine["files"]:
            refused(officer.get(file["path"]), 410, "export_expired")

    def test_one_that_is_being_made_meanwhile_begins_again(
        self, api: Api, officer: Api, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        somebody = done(officer.get("/v1/members?limit=1"))["items"][0]["id"]
        begun = []
        end = keeping.end

        def ended(*given: Any) -> bool:
            begun.append(given)
            return end(*given)

        write = making._Making._write

        def erased_meanwhile(self: making._Making, *given: Any) -> None:
            write(self, *given)
            if not begun:
                erase(api, somebody)

        monkeypatch.setattr(making._Making, "_write", erased_meanwhile)
        monkeypatch.setattr(keeping, "end", ended)
        mine = exported(officer, work, kinds=["member"])
        assert len(begun) == 2
        assert somebody not in rows_of(officer, mine, "member")

    def test_other_rights_than_it_was_made_with(
        self, officer: Api, database: Database, work: Work
    ) -> None:
        mine = exported(officer, work, kinds=["member"])
        with writing(database) as session:
            ended = sa.select(col(Account.id)).where(col(Account.username) == "phuongvi")
            session.execute(
                sa.update(Grant)
                .where(col(Grant.account_id).in_(ended))
                .values(valid_to=local_today() - timedelta(days=1))
            )
        refused(officer.get(mine["files"][0]["path"]), 410, "export_rights_changed")


def test_the_log_of_exports_has_it(api: Api, officer: Api, work: Work, unit_id: UnitIds) -> None:
    unit, fields = unit_id["phuongvi-1"], {"member": ["phone"]}
    body = {"kinds": ["unit", "member"], "unit": unit, "fields": fields | {"unit": ["name"]}}
    manifest = exported(officer, work, **body)
    [noted] = done(officer.get("/v1/export-log"))["items"]
    assert noted["path"] == f"/v1/exports/{manifest['id']}"
    filters = {"kinds": ["unit", "member"], "unit": unit, "seq": manifest["seq"]}
    assert noted["filters"] == filters
    assert noted["fields"] == ["unit.id", "unit.name", "member.id", "member.phone"]
    assert noted["rows"] == sum(file["rows"] for file in manifest["files"])
    assert noted["format"] == "ndjson"
    assert noted["finished_at"] is not None
    assert noted in done(api.as_("phutho").get("/v1/export-log"))["items"]
