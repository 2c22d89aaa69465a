"""Sessions by a rule: what a rule gives, and what a change of it leaves as people made it."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from time import perf_counter

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import VIETNAM
from app.errors import Problem
from app.models.events.sessions import Recurrence
from app.services.events import recurrence
from app.services.events import sessions as adding
from app.services.events.recurrence import expanded
from tests.helpers.answers import Json, pointed
from tests.helpers.client import Api
from tests.helpers.meetings import acted, items, made, sessions
from tests.helpers.soak import longer

SUNDAYS = "FREQ=WEEKLY;BYDAY=SU;COUNT=4"


def body(rule: str, first: str = "2027-01-17T19:00:00+07:00", **more: object) -> Json:
    ends = datetime.fromisoformat(first) + timedelta(hours=2)
    return {"rule": rule, "starts_at": first, "ends_at": ends.isoformat(), **more}


def local(session: Json) -> str:
    return f"{datetime.fromisoformat(session['starts_at']).astimezone(VIETNAM):%d/%m %H:%M}"


@pytest.fixture
def series(head: Api) -> str:
    """The address of the rule of an announced event: four Sundays at seven in the evening."""
    event = made(head, sessions=[])
    path = f"/v1/events/{event['id']}"
    acted(head, f"{path}/recurrence", body(SUNDAYS))
    acted(head, f"{path}/announce")
    return f"{path}/recurrence"


def listed(api: Api, series: str) -> list[Json]:
    return sessions(api, {"id": series.split("/")[3]})


class TestChangingARule:
    def test_another_hour_keeps_what_was_done_to_single_sessions(
        self, api: Api, head: Api, series: str
    ) -> None:
        first, second, third, fourth = listed(head, series)
        acted(head, f"/v1/sessions/{first['id']}/cancel", {"reason": "Tết"})
        moved = {"starts_at": "2027-01-25T15:00:00+07:00", "ends_at": "2027-01-25T17:00:00+07:00"}
        head.patch(f"/v1/sessions/{second['id']}", json=moved)
        head.patch(f"/v1/sessions/{third['id']}", json={"place": "Sân đình"})
        member = api.as_("member")
        acted(member, f"/v1/sessions/{third['id']}/rsvps/own", {"answer": "yes"})
        told = acted(head, series, body(SUNDAYS, "2027-01-17T20:00:00+07:00", place="Nhà văn hoá"))
        now = listed(head, series)
        assert {each["id"] for each in now} == {
            each["id"] for each in (first, second, third, fourth)
        }
        assert {(local(each), each["state"], each["place"]) for each in now} == {
            ("17/01 20:00", "cancelled", "Nhà văn hoá"),
            ("25/01 15:00", "planned", "Nhà văn hoá"),
            ("31/01 20:00", "planned", "Sân đình"),
            ("07/02 20:00", "planned", "Nhà văn hoá"),
        }
        assert (told["sessions"], told["created"], told["cancelled"]) == (3, 0, 0)
        assert (told["moved"], told["kept"], told["answers_moved"]) == (3, 1, 1)
        assert [each["session_id"] for each in told["still_cancelled"]] == [first["id"]]
        [still] = told["still_moved"]
        assert (still["session_id"], still["starts_at"]) == (second["id"], "2027-01-25T08:00:00Z")
        assert still["rule_starts_at"] == "2027-01-24T13:00:00Z"
        own = member.get(f"/v1/sessions/{third['id']}/rsvps/own").json()
        assert own["answer"] == "yes"
        calendar = items(head, "/v1/sessions?from=2027-01-31&to=2027-01-31")
        assert [local(each) for each in calendar] == ["31/01 20:00"]

    def test_another_day_of_the_week_is_the_same_sessions(self, head: Api, series: str) -> None:
        before = listed(head, series)
        acted(head, f"/v1/sessions/{before[2]['id']}/cancel", {"reason": "Tết"})
        told = acted(
            head, series, body("FREQ=WEEKLY;BYDAY=SA;COUNT=4", "2027-01-18T19:00:00+07:00")
        )
        now = listed(head, series)
        planned = [local(each) for each in now if each["state"] == "planned"]
        assert planned == ["23/01 19:00", "06/02 19:00", "13/02 19:00"]
        assert (told["created"], told["moved"], told["cancelled"]) == (1, 3, 1)

    def test_what_a_rule_cancelled_a_rule_brings_back(self, head: Api, series: str) -> None:
        told = acted(head, series, body("FREQ=WEEKLY;BYDAY=SU;COUNT=2"))
        assert (told["sessions"], told["cancelled"], told["answers_left"]) == (2, 2, 0)
        told = acted(head, series, body(SUNDAYS))
        assert (told["sessions"], told["restored"], told["created"]) == (4, 2, 0)
        assert [each["number"] for each in listed(head, series)] == [1, 2, 3, 4]
        assert {each["reason"] for each in listed(head, series)} == {None}

    def test_cancelled_sessions_do_not_fill_an_event(
        self, head: Api, series: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (recurrence, adding):
            monkeypatch.setattr(module, "MOST_SESSIONS", 10)
        daily = "FREQ=DAILY;COUNT=10"
        acted(head, series, body(daily))
        assert acted(head, series, body(daily, "2028-01-17T19:00:00+07:00"))["sessions"] == 10
        one = {"starts_at": "2029-01-01T19:00:00+07:00", "ends_at": "2029-01-01T20:00:00+07:00"}
        answer = head.post(f"{series.removesuffix('/recurrence')}/sessions", json=one)
        pointed(answer, "", "sessions_too_many")

    def test_beside_sessions_entered_by_hand(self, head: Api) -> None:
        same, other = body("", "2027-01-17T19:00:00+07:00"), body("", "2027-01-05T19:00:00+07:00")
        by_hand = [
            {name: each[name] for name in ("starts_at", "ends_at")} for each in (same, other)
        ]
        event = made(head, sessions=by_hand)
        path = f"/v1/events/{event['id']}/recurrence"
        told = acted(head, path, body("FREQ=MONTHLY;BYDAY=3SU;COUNT=12"))
        assert (told["sessions"], told["created"], told["taken_in"]) == (12, 11, 1)
        assert told["beside"] == 1
        assert len(listed(head, path)) == 13

    def test_what_a_rule_asks_for_beyond_three_years_is_told(self, head: Api) -> None:
        event = made(head, sessions=[])
        path = f"/v1/events/{event['id']}/recurrence"
        told = acted(head, path, body("FREQ=YEARLY;COUNT=3", "2028-02-29T19:00:00+07:00"))
        assert (told["sessions"], told["cut_after"]) == (1, "2028-02-29")
        told = acted(head, path, body("FREQ=MONTHLY;COUNT=52"))
        assert (told["sessions"], told["cut_after"]) == (37, "2030-01-17")
        told = acted(head, path, body("FREQ=MONTHLY;UNTIL=99991231T235959Z"))
        assert (told["sessions"], told["cut_after"]) == (37, "2030-01-17")
        told = acted(head, path, body("FREQ=MONTHLY;COUNT=12"))
        assert (told["sessions"], told["cut_after"], told["removed"]) == (12, None, 25)


# -- what a rule gives


def days(rule: str, first: str = "2027-01-17T19:00:00+07:00") -> list[date]:
    given = expanded(Recurrence.model_validate(body(rule, first)))
    return [start.astimezone(VIETNAM).date() for start in given.starts]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20270131", 31),
        ("2027-01-31", 31),
        ("20270131T190000", 31),
        ("20270131T185959", 24),
        ("20270131T120000Z", 31),
        ("20270131T115959Z", 24),
    ],
)
def test_a_day_is_an_end_as_a_whole(until: str, last: int) -> None:
    assert days(f"FREQ=WEEKLY;UNTIL={until}")[-1] == date(2027, 1, last)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=5",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=3;COUNT=5",
        "FREQ=DAILY;BYSETPOS=2;COUNT=5",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO;COUNT=5",
    ],
)
def test_a_rule_that_gives_nothing_costs_little(rule: str) -> None:
    began = perf_counter()
    with pytest.raises(Problem) as refused:
        days(rule)
    assert [error.code for error in refused.value.errors] == ["rule_empty"]
    assert perf_counter() - began < 0.5  # to the year 9999 it took 3 s


def test_a_place_in_the_month_needs_a_month() -> None:
    with pytest.raises(Problem):
        days("FREQ=WEEKLY;BYDAY=2MO;COUNT=3")


_lists = {
    "BYDAY": st.lists(
        st.tuples(st.sampled_from(["", "", "1", "2", "-1"]), st.sampled_from(["MO", "TU", "SU"])),
        max_size=3,
    ),
    "BYMONTHDAY": st.lists(st.sampled_from([1, 13, 29, 31, -1, -2]), max_size=3),
    "BYMONTH": st.lists(st.sampled_from([1, 2, 6, 12]), max_size=3),
    "BYSETPOS": st.lists(st.sampled_from([1, 2, -1]), max_size=2),
}


@settings(max_examples=longer(60))
@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    interval=st.integers(1, 3),
    week_start=st.sampled_from(["MO", "SU"]),
    first=st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    parts=st.fixed_dictionaries(_lists),
)
def test_gives_the_days_that_dateutil_gives(
    frequency: str, interval: int, week_start: str, first: date, parts: Json
) -> None:
    # dateutil takes weekdays with and without a place as "both", RFC 5545 as "either"; in weeks it
    # overlooks the place.
    placed = frequency in ("MONTHLY", "YEARLY") and any(place for place, _ in parts["BYDAY"])
    chosen = [(place, day) for place, day in parts["BYDAY"] if bool(place) == placed]
    texts = {**parts, "BYDAY": [place * placed + day for place, day in chosen]}
    by = [f"{name}={','.join(map(str, each))}" for name, each in texts.items() if each]
    rule = ";".join([f"FREQ={frequency}", f"INTERVAL={interval}", f"WKST={week_start}", *by])
    begin = datetime(first.year, first.month, first.day, 19, tzinfo=VIETNAM)
    horizon = begin.replace(tzinfo=None) + timedelta(days=3 * 365)
    try:
        ours = days(f"{rule};COUNT=200", begin.isoformat())
    except Problem:
        ours = []
    given_: Iterable[datetime] = (
        rrulestr(f"RRULE:{rule}", dtstart=begin.replace(tzinfo=None)) if ours else []
    )
    near = takewhile(lambda start: start <= horizon, islice(given_, len(ours)))
    theirs = [start.date() for start in near]
    assert [day for day in ours if day <= horizon.date()] == theirs
