"""The sign-in sheet: a page to print, with names, room for signatures and a code for phones."""

import re
from base64 import b64decode
from html import unescape
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.api.http.pictures import qr_code
from app.db import Database
from app.models.kernel.export_log import ExportRecord
from app.services.attendance import sheets
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, made
from tests.helpers.captures import hold
from tests.helpers.client import Api, writing
from tests.helpers.meetings import announced, sitting


def names_on(page: str) -> list[str]:
    rows = re.findall(r"<tr><td>(\d+)</td><td>(.*?)</td><td>(.*?)</td><td></td></tr>", page)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    return [unescape(name) for _, name, _ in rows]


@pytest.fixture
def meeting(head: Api) -> str:
    _, session_id = announced(
        head,
        title="Sinh hoạt <tháng 12> & Tết",
        place="Nhà văn hoá khu 1",
        sessions=[
            sitting(starts_at="2099-11-21T19:30:00+07:00", ends_at="2099-11-21T21:00:00+07:00")
        ],
    )
    return session_id


def roster(api: Api, session_id: object) -> list[Json]:
    found: list[Json] = done(api.get(f"/v1/sessions/{session_id}/roster?limit=200"))["items"]
    return found


class TestSheet:
    def test_has_everybody_by_name_and_room_to_sign(
        self, head: Api, meeting: str, database: Database
    ) -> None:
        answer = head.get(f"/v1/sessions/{meeting}/sign-in-sheet")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in answer.headers["content-security-policy"]
        page = answer.text
        assert names_on(page) == [each["full_name"] for each in roster(head, meeting)]
        assert "<h1>Sinh hoạt &lt;tháng 12&gt; &amp; Tết</h1>" in page
        assert "19:30–21:00, Thứ Bảy 21/11/2099 · Nhà văn hoá khu 1" in page
        assert page.count("Khách mời") == sheets.GUEST_ROWS
        assert "Ký tên" in page
        with writing(database) as session:
            taken = session.exec(
                select(ExportRecord).where(col(ExportRecord.path).endswith("sign-in-sheet"))
            ).one()
        assert (taken.rows, taken.format) == (len(names_on(page)), "html")

    def test_has_the_printed_code_of_the_session(self, head: Api, meeting: str) -> None:
        page = head.get(f"/v1/sessions/{meeting}/sign-in-sheet").text
        [picture] = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
        token = done(head.get(f"/v1/sessions/{meeting}/code?printed=true"))["token"]
        assert b64decode(picture) == qr_code(token, "svg")

    def test_leaves_out_restricted_records(self, api: Api, head: Api, meeting: str) -> None:
        her = done(api.as_("member").get("/v1/me"))["member_id"]
        name = done(api.as_("member").get("/v1/me/member"))["full_name"]
        everybody = names_on(head.get(f"/v1/sessions/{meeting}/sign-in-sheet").text)
        limit = {"kind": "restriction"}
        made(api.as_("phuongvi").post(f"/v1/members/{her}/processing-limits", json=limit))
        left = names_on(head.get(f"/v1/sessions/{meeting}/sign-in-sheet").text)
        assert len(left) == len(everybody) - 1
        assert left.count(name) == everybody.count(name) - 1
        lines = head.get(f"/v1/sessions/{meeting}/roster?format=ndjson").text.splitlines()
        assert her not in " ".join(lines)
        assert UUID(her) in {UUID(each["member_id"]) for each in roster(head, meeting)}

    def test_of_many_is_printed_by_branch(
        self, api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commune = api.as_("phuongvi")
        path = f"/v1/sessions/{hold(database, [unit_id['phuongvi']])}/sign-in-sheet"
        monkeypatch.setattr(sheets, "MOST_PEOPLE", 150)
        pointed(commune.get(path), "/branch", "sheet_too_long")
        page = commune.get(f"{path}?branch={unit_id['phuongvi-2']}").text
        assert 0 < len(names_on(page)) <= 150

    def test_is_for_who_captures(self, api: Api, meeting: str) -> None:
        path = f"/v1/sessions/{meeting}/sign-in-sheet"
        refused(api.as_("phuongvi-2").get(path), 404, "not_found")
        refused(api.as_("member").get(path), 403, "forbidden")
