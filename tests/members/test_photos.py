"""The photo of a member: set by who may edit her record, seen by who may read it, gone with her."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import utc_now
from app.db import Database
from app.models.files.files import StoredFile
from app.models.kernel.access_log import AccessRead
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.members.members import Member
from tests.files.uploads import PDF, picture, whole
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing

UnitIds = dict[str, int]


def admitted(api: Api, unit_id: UnitIds, **more: object) -> Json:
    body = {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Ảnh",
        "birth_date": "1971",
        "joined_on": None,
    }
    answer = api.post("/v1/members", json=body | more)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def new_photo(api: Api) -> str:
    return f"files/{whole(api, picture(), 'picture')['id']}"


def stored(database: Database) -> dict[str, UUID | None]:
    """Who has each file."""
    with writing(database) as session:
        return {f"files/{each.id}": each.used_by for each in session.exec(select(StoredFile))}


@pytest.fixture
def her(head: Api, unit_id: UnitIds) -> Json:
    """A member with a photo, both entered by the head of her branch."""
    return admitted(head, unit_id, photo=new_photo(head))


@pytest.fixture
def path(her: Json) -> str:
    return f"/v1/members/{her['id']}"


class TestSeen:
    def test_by_all_who_may_read_her(self, api: Api, path: str) -> None:
        for username in ("phuongvi-1", "phuongvi", "phutho", "auditor"):
            for size in ("full", "thumbnail"):
                answer = api.as_(username).get(f"{path}/photo?size={size}")
                assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")

    def test_by_nobody_else(self, api: Api, path: str) -> None:
        for username in ("phuongvi-2", "tienluong", "tienluong-1"):
            assert api.as_(username).get(f"{path}/photo").status_code == 404
        assert api.as_("admin").get(f"{path}/photo").status_code == 403
        assert api.get(f"{path}/photo").status_code == 401

    def test_in_her_record_alone(self, head: Api, her: Json) -> None:
        file = f"/v1/{her['photo']}"
        assert head.get(file).json()["used_as"] == "member"
        assert head.get(f"{file}/content").status_code == 404
        refused = head.delete(file)
        assert (refused.status_code, refused.json()["code"]) == (409, "file_in_use")

    def test_by_herself(self, api: Api, officer: Api, database: Database) -> None:
        me = api.as_("member")
        assert me.get("/v1/me/member/photo").status_code == 404
        member_id = me.get("/v1/me/member").json()["id"]
        photo = new_photo(officer)
        set_ = officer.patch(f"/v1/members/{member_id}", json={"photo": photo})
        assert set_.status_code == 200, set_.text
        assert me.get("/v1/me/member/photo?size=thumbnail").status_code == 200

    @pytest.mark.parametrize("photo", [None, "https://anh.example/1.jpg", "members/1.jpg"])
    def test_not_where_none_was_sent(self, head: Api, unit_id: UnitIds, photo: str | None) -> None:
        made = admitted(head, unit_id, photo=photo)
        assert head.get(f"/v1/members/{made['id']}/photo").status_code == 404


class TestNoted:
    def test_who_was_shown_her_photo_or_made_a_link(
        self, api: Api, head: Api, her: Json, path: str, database: Database
    ) -> None:
        """Not who was refused, or asked for the headers alone, and not she herself."""
        assert api.as_("camkhe").request("HEAD", f"{path}/photo").status_code == 200
        api.as_("tienluong").get(f"{path}/photo")
        answer = api.as_("auditor").get(f"{path}/photo?size=thumbnail")
        api.as_("auditor").get(f"{path}/photo")
        tag = {"if-none-match": answer.headers["etag"]}
        assert (
            api.as_("auditor").get(f"{path}/photo?size=thumbnail", headers=tag).status_code == 304
        )
        assert head.post(f"{path}/photo/links", json={}).status_code == 201
        serving(api.app).access_log.flush()
        with writing(database) as session:
            rows = session.exec(
                select(Account.username, AccessRead.fields, AccessRead.times)
                .join(Account, col(Account.id) == col(AccessRead.account_id))
                .where(col(AccessRead.member_id) == UUID(her["id"]))
            ).all()
        photos = {(name, times) for name, fields, times in rows if fields == "photo"}
        assert ("auditor", 2) in photos
        assert {name for name, fields, _ in rows if "photo" in fields} == {"auditor", "phuongvi-1"}


class TestSet:
    def test_is_a_change_of_her_record(self, officer: Api, path: str, database: Database) -> None:
        photo = new_photo(officer)
        assert officer.patch(path, json={"photo": photo}).json()["photo"] == photo
        with writing(database) as session:
            last = session.exec(select(Change).where(Change.entity == "member")).all()[-1]
        assert (last.after or {})["photo"] == photo

    def test_deletes_the_one_of_before(
        self, head: Api, her: Json, path: str, database: Database
    ) -> None:
        photo = new_photo(head)
        assert head.patch(path, json={"photo": photo}).status_code == 200
        assert stored(database) == {photo: UUID(her["id"])}
        assert head.patch(path, json={"photo": None}).status_code == 200
        assert stored(database) == {}
        assert head.get(f"{path}/photo").status_code == 404

    def test_again_changes_nothing(
        self, head: Api, officer: Api, her: Json, path: str, database: Database
    ) -> None:
        for api in (head, officer):
            assert api.patch(path, json={"photo": her["photo"]}).status_code == 200
        assert stored(database) == {her["photo"]: UUID(her["id"])}

    @pytest.mark.parametrize("written", [str.upper, lambda it: it.replace("-", "")])
    def test_under_another_spelling_stays(
        self, head: Api, her: Json, path: str, written: Callable[[str], str], database: Database
    ) -> None:
        photo = f"files/{written(her['photo'].removeprefix('files/'))}"
        assert head.patch(path, json={"photo": photo}).status_code == 200
        assert stored(database) == {her["photo"]: UUID(her["id"])}
        assert head.get(f"{path}/photo").status_code == 200

    def test_takes_no_file_of_others(
        self, head: Api, officer: Api, her: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        second = admitted(head, unit_id, full_name="Hà Thị Hai", birth_date="1980")
        of_others = [
            new_photo(officer),
            her["photo"],
            f"files/{whole(head, PDF)['id']}",
            "files/0190f6a0-0000-7000-8000-000000000000",
            "files/x",
        ]
        for photo in of_others:
            answer = head.patch(f"/v1/members/{second['id']}", json={"photo": photo})
            [error] = answer.json()["errors"]
            assert (answer.status_code, error["pointer"]) == (422, "/photo")
            assert error["code"] == "file_unknown"
        with writing(database) as session:
            assert session.get_one(Member, UUID(second["id"])).photo is None
        assert stored(database)[her["photo"]] == UUID(her["id"])

    def test_refused_with_a_new_record_admits_nobody(
        self, head: Api, officer: Api, unit_id: UnitIds, database: Database
    ) -> None:
        body = {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": "Hà Thị Không",
            "birth_date": "1971",
            "joined_on": None,
            "photo": new_photo(officer),
        }
        assert head.post("/v1/members", json=body).status_code == 422
        with writing(database) as session:
            found = session.exec(select(Member).where(Member.full_name == "Hà Thị Không")).all()
        assert found == []

    def test_not_by_who_may_not_edit_her(self, api: Api, her: Json, path: str) -> None:
        for username, status in (("auditor", 403), ("tienluong", 404), ("phuongvi-2", 404)):
            refused = api.as_(username).patch(path, json={"photo": None})
            assert refused.status_code == status
        assert api.as_("phuongvi-1").get(path).json()["photo"] == her["photo"]


class TestLinks:
    def made(self, api: Api, path: str, **body: object) -> Json:
        answer = api.post(f"{path}/photo/links", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        link: Json = answer.json()
        return link

    def test_open_one_size_without_a_token(self, api: Api, head: Api, path: str) -> None:
        for size in ("full", "thumbnail"):
            link = self.made(head, path, size=size)
            answer = api.get(link["path"])
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
            assert answer.content == head.get(f"{path}/photo?size={size}").content
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"

    def test_end_by_themselves(self, api: Api, head: Api, path: str) -> None:
        link = self.made(head, path, seconds=60)["path"]
        until = utc_now() + timedelta(seconds=61)
        with time_machine.travel(until - timedelta(seconds=5), tick=False):
            assert api.get(link).status_code == 200
        with time_machine.travel(until, tick=False):
            ended = api.get(link)
        assert (ended.status_code, ended.json()["code"]) == (404, "not_found")

    def test_end_with_the_photo(self, api: Api, head: Api, path: str) -> None:
        link = self.made(head, path)["path"]
        assert head.patch(path, json={"photo": None}).status_code == 200
        assert api.get(link).status_code == 404
        assert head.post(f"{path}/photo/links", json={}).status_code == 404

    def test_cannot_be_changed(self, api: Api, head: Api, path: str) -> None:
        link = self.made(head, path)["path"]
        for at in (-1, -10, -30):
            other = "A" if link[at] != "A" else "B"
            changed = f"{link[:at]}{other}{link[at:][1:]}"
            assert api.get(changed).status_code == 404
        assert api.get("/v1/file-links/" + "x" * 50).status_code == 404

    @pytest.mark.parametrize("seconds", [0, 3_601, -1])
    def test_last_an_hour_at_most(self, head: Api, path: str, seconds: int) -> None:
        refused = head.post(f"{path}/photo/links", json={"seconds": seconds})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/seconds"

    def test_are_given_to_who_may_read_her(self, api: Api, path: str) -> None:
        for username, status in (("auditor", 201), ("tienluong", 404), ("admin", 403)):
            answer = api.as_(username).post(f"{path}/photo/links", json={})
            assert answer.status_code == status


class TestWithHer:
    def test_it_is_erased(
        self, api: Api, head: Api, her: Json, path: str, database: Database
    ) -> None:
        left = head.post(f"{path}/departures", json={"reason": "moved_away"})
        assert left.status_code == 201, left.text
        officer, province = api.as_("phuongvi"), api.as_("phutho")
        asked = officer.post(
            f"{path}/privacy-requests", json={"kind": "erase", "channel": "in_person"}
        ).json()
        officer.post(f"/v1/privacy/requests/{asked['id']}/acknowledge")
        tried = province.post(f"{path}/erasure", json={"dry_run": True}).json()
        assert [e["rows"] for e in tried["effects"] if e["table"] == "file"] == [1]
        body = {"dry_run": False, "request_id": asked["id"], "digest": tried["digest"]}
        assert province.post(f"{path}/erasure", json=body).status_code == 200
        assert stored(database) == {}
        assert head.get(f"{path}/photo").status_code == 404

    def test_it_goes_into_the_record_that_is_kept_and_back(
        self, officer: Api, her: Json, path: str, unit_id: UnitIds, database: Database
    ) -> None:
        kept = admitted(officer, unit_id, birth_date="1971-04-09")
        body = {"other_id": her["id"], "reason": "Cùng một người."}
        merge = officer.post(f"/v1/members/{kept['id']}/merges", json=body)
        assert merge.status_code == 201, merge.text
        assert stored(database) == {her["photo"]: UUID(kept["id"])}
        for member_id in (kept["id"], her["id"]):
            assert officer.get(f"/v1/members/{member_id}/photo").status_code == 200
        assert officer.post(f"/v1/merges/{merge.json()['id']}/undo").status_code == 200
        assert stored(database) == {her["photo"]: UUID(her["id"])}
        assert officer.get(f"{path}/photo").status_code == 200
        assert officer.get(f"/v1/members/{kept['id']}/photo").status_code == 404

    @pytest.mark.parametrize("chosen", ["kept", "other"])
    def test_of_two_photos_each_goes_back(
        self, officer: Api, her: Json, unit_id: UnitIds, database: Database, chosen: str
    ) -> None:
        """One that was replaced after the merge stays so, where the merge had not written it."""
        kept = admitted(officer, unit_id, birth_date="1971-04-09", photo=new_photo(officer))
        before = stored(database)
        body = {"other_id": her["id"], "reason": "Cùng một người.", "fields": {"photo": chosen}}
        path = f"/v1/members/{kept['id']}"
        merge = officer.post(f"{path}/merges", json=body).json()
        assert set(stored(database).values()) == {UUID(kept["id"])}
        undone = f"/v1/merges/{merge['id']}/undo"
        if chosen == "kept":
            new = new_photo(officer)
            assert officer.patch(path, json={"photo": new}).status_code == 200
            before = {new: UUID(kept["id"]), her["photo"]: UUID(her["id"])}
        assert officer.post(undone).status_code == 200
        assert stored(database) == before
        for file, member_id in before.items():
            assert officer.get(f"/v1/members/{member_id}").json()["photo"] == file
            assert officer.get(f"/v1/members/{member_id}/photo").status_code == 200
