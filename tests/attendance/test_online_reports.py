"""Reports of Zoom, Google Meet and Teams: names found on the roster, minutes added up, the rest waits."""

from datetime import datetime, time
from uuid import UUID

import pytest

from app.clock import VIETNAM, local_today
from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import counts, hold
from tests.helpers.client import Api


def began() -> datetime:
    """Half past midnight of today."""
    return datetime.combine(local_today(), time(0, 30), VIETNAM)


@pytest.fixture
def roster(head: Api, unit_id: UnitIds) -> list[Json]:
    """Members whose names nobody else of the branch has, with or without marks."""
    branch = unit_id["phuongvi-1"]
    names = ("Vi Thị Khuyên", "Vi Thị Mây", "Vi Thị Hoà", "Vi Thị Hòa Bình", "Vi Thị Ngần")
    return [
        head.post(
            "/v1/members",
            json={
                "branch_id": branch,
                "full_name": name,
                "birth_date": "1980",
                "joined_on": "2020-01-01",
            },
        ).json()
        for name in names
    ]


@pytest.fixture
def meeting(database: Database, unit_id: UnitIds) -> UUID:
    return hold(
        database, [unit_id["phuongvi-1"]], starts_at=began(), online_minutes=30, mode="online"
    )


def report(api: Api, session_id: object, text: str | bytes) -> Json:
    data = text.encode() if isinstance(text, str) else text
    answer = api.post(
        f"/v1/sessions/{session_id}/online-report",
        content=data,
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def zoom(*lines: str) -> str:
    day = f"{local_today():%m/%d/%Y}"
    return "\ufeff" + "\r\n".join(
        [
            "Meeting ID,Topic,Start Time,End Time,User Email,Duration (Minutes),Participants",
            f"852 1848 6288,Sinh hoạt,{day} 12:30:00 AM,{day} 01:40:00 AM,a@b.vn,70,5",
            "",
            "Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest",
            *(line.replace("@", day) for line in lines),
        ]
    )


class TestZoom:
    def test_finds_names_and_adds_up_minutes(
        self, head: Api, database: Database, meeting: UUID, roster: list[Json]
    ) -> None:
        text = zoom(
            "Vi Thị Khuyên,,@ 12:31:02 AM,@ 01:31:00 AM,60,Yes",
            "VI THI MAY,,@ 12:31:00 AM,@ 12:51:00 AM,20,Yes",
            "VI THI MAY,,@ 01:00:00 AM,@ 01:15:00 AM,15,Yes",
            "Khu 1 - Vi Thị Ngần (iPhone),,@ 12:40:00 AM,@ 01:30:00 AM,50,Yes",
            "Vi Thị Hoà,,@ 12:40:00 AM,@ 12:50:00 AM,10,Yes",
            "iPhone 12,,@ 12:40:00 AM,@ 01:30:00 AM,50,Yes",
        )
        found = report(head, meeting, text)
        assert {name: found[name] for name in found if name != "items"} == {
            "lines": 6,
            "new": 3,
            "already": 1,
            "pending_identity": 1,
            "refused": 0,
        }
        khuyen, *may, ngan, hoa, phone = found["items"]
        assert khuyen["member_id"] == roster[0]["id"]
        assert khuyen["first_seen_at"][11:19] == "17:31:02"
        assert [each["attendance"] for each in may] == ["new", "already"]
        assert ngan["member_id"] == roster[4]["id"]
        assert (hoa["attendance"], hoa["flags"]) == ("none", hoa["flags"])
        assert "too_short" in hoa["flags"]
        assert phone["attendance"] == "pending_identity"
        total = counts(head, meeting)
        assert total["distinct_people"] == 3
        assert {each["mode"]: each["people"] for each in total["by_mode"]}["online"] == 3
        # The same file again, and one with the missing minutes.
        again = report(head, meeting, text)
        assert again == found
        more = report(head, meeting, zoom("Vi Thị Hoà,,@ 01:00:00 AM,@ 01:25:00 AM,25,Yes"))
        assert more["new"] == 1
        assert counts(head, meeting)["distinct_people"] == 4


class TestMeet:
    def test_first_and_last_name_and_words_for_minutes(
        self, head: Api, meeting: UUID, roster: list[Json]
    ) -> None:
        text = (
            "First name,Last name,Email,Duration,Time joined,Time exited\n"
            "Khuyên,Vi Thị,,1 hr 2 min,12:31 AM,1:33 AM\n"
            "Vi Thị,Mây,,45 min,12:31 AM,1:16 AM\n"
        )
        found = report(head, meeting, text)
        assert (found["new"], found["pending_identity"]) == (2, 0)
        vietnamese = "Tên;Họ;Thời lượng;Thời gian tham gia\nNgần;Vi Thị;1 giờ 2 phút;00:31"
        assert report(head, meeting, vietnamese)["new"] == 1


class TestTeams:
    HEAD = "First Join\tLast Leave\tIn-Meeting Duration\tEmail\tParticipant ID (UPN)\tRole"

    def text(self, day: str) -> str:
        times = f"{day}, 12:31:02 AM\t{day}, 1:33:20 AM"
        lines = (
            "1. Summary",
            "Meeting title\tSinh hoạt chi hội",
            "Attended participants\t2",
            f"Start time\t{day}, 12:30:00 AM",
            f"End time\t{day}, 1:40:00 AM",
            "Meeting duration\t1h 10m",
            "Average attendance time\t58m 12s",
            "",
            "2. Participants",
            f"Name\t{self.HEAD}",
            f"Vi Thị Khuyên\t{times}\t1h 2m 18s\t\t\tOrganizer",
            f"Vi Thị Mây (Guest)\t{times}\t44m 40s\t\t\tAttendee",
            "",
            "3. In-Meeting Activities",
            "Name\tJoin Time\tLeave Time\tDuration\tEmail\tRole",
            f"Vi Thị Khuyên\t{times}\t1h 2m 18s\t\tOrganizer",
        )
        return "\r\n".join(lines)

    def test_the_participants_are_read_and_not_their_activities(
        self, head: Api, meeting: UUID, roster: list[Json]
    ) -> None:
        today = local_today()
        data = self.text(f"{today.month}/{today.day}/{today:%y}").encode("utf-16")
        found = report(head, meeting, data)
        assert (found["lines"], found["new"], found["pending_identity"]) == (2, 2, 0)
        assert counts(head, meeting)["distinct_people"] == 2
        assert report(head, meeting, data) == found
        assert counts(head, meeting)["distinct_people"] == 2


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "report_unreadable"),
            (b"a,b\n1,2", "report_unreadable"),
            (b"\xff\x00\xd8", "report_unreadable"),
            (b"Name,Join Time\nVi,soon", "report_time"),
            (b"Name,Join Time\nVi,01/01/2001 10:00", "report_time"),
            (b"Name,Duration\n,5", "required"),
        ],
    )
    def test_what_is_no_report(self, head: Api, meeting: UUID, data: bytes, code: str) -> None:
        answer = head.post(
            f"/v1/sessions/{meeting}/online-report",
            content=data,
            headers={"content-type": "text/csv"},
        )
        assert answer.status_code == 422, answer.text
        if data:
            assert answer.json()["errors"][0]["code"] == code
        assert counts(head, meeting)["distinct_people"] == 0

    def test_other_branch(self, api: Api, meeting: UUID) -> None:
        answer = api.as_("tienluong-1").post(
            f"/v1/sessions/{meeting}/online-report",
            content=zoom("Vi,,@ 12:31:02 AM,@ 01:31:00 AM,60,Yes").encode(),
            headers={"content-type": "text/csv"},
        )
        assert answer.status_code == 404

    def test_json_is_told_what_is_expected(self, head: Api, meeting: UUID) -> None:
        answer = head.post(f"/v1/sessions/{meeting}/online-report", json={"a": 1})
        assert answer.status_code == 422
