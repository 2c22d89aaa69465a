"""The page of a unit: figures of today, months, units below, and what needs attention."""

from datetime import timedelta

from app.clock import VIETNAM, local_today, utc_now
from app.db import Database
from app.services.figures import folding
from tests.figures.test_figures import explained, value
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold
from tests.helpers.client import Api, counted
from tests.helpers.homes import decide, home
from tests.helpers.reading import Reading

DAY = timedelta(days=1)


def page(api: Api, unit: int, **query: str) -> Json:
    answer = api.get(f"/v1/units/{unit}/overview", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def attention(api: Api, unit: int) -> Json:
    return {each["indicator"]: each["value"] for each in page(api, unit)["attention"]}


class TestPage(Reading):
    def test_has_what_the_figures_have(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        found = page(officer, commune)
        assert (found["unit"]["name"], found["as_of"]) == (
            "Xã Phượng Vĩ",
            local_today().isoformat(),
        )
        today = f"{local_today()}..{local_today()}"
        for each in (*found["stocks"], *found["attention"]):
            assert each["value"] == value(officer, commune, each["indicator"], period=today)
            told = explained(officer, each["indicator"], commune, period=today)
            assert told["value"] == each["value"]
        assert found["left_out"] == []

    def test_a_trend_has_twelve_months(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        trends = {each["indicator"]: each for each in page(officer, commune)["trends"]}
        points = trends["members.total"]["points"]
        assert len(points) == 12
        assert points[-1]["last_day"] == local_today().isoformat()
        for point in (points[0], points[-1]):
            period = f"{point['first_day']}..{point['last_day']}"
            assert point["value"] == value(officer, commune, "members.total", period=period)

    def test_children_come_by_size(self, api: Api, unit_id: UnitIds) -> None:
        children = page(api.as_("camkhe"), unit_id["camkhe"])["children"]
        sizes = [each["figures"][0]["value"] for each in children]
        assert [each["figures"][0]["indicator"] for each in children] == ["members.total"] * 2
        assert sizes == sorted(sizes, reverse=True)
        assert sum(sizes) == 400

    def test_what_one_may_not_see_is_left_out(self, api: Api, unit_id: UnitIds) -> None:
        found = page(api.as_("auditor"), unit_id["phuongvi"])
        assert {"poverty.poor", "support.unvisited"} <= set(found["left_out"])
        shown = [*found["stocks"], *found["trends"], *found["attention"]]
        assert shown
        assert not {each["indicator"] for each in shown} & set(found["left_out"])

    def test_is_not_found_out_of_scope(self, api: Api, unit_id: UnitIds) -> None:
        head = api.as_("phuongvi-1")
        assert head.get(f"/v1/units/{unit_id['tienluong-1']}/overview").status_code == 404
        assert api.get(f"/v1/units/{unit_id['phuongvi']}/overview").status_code == 401


def test_months_are_each_as_they_were_or_all_in_one_tree(api: Api, unit_id: UnitIds) -> None:
    """Of a commune that a branch left: the line of its months has no break in the tree of a day."""
    commune, today = unit_id["phuongvi"], local_today()
    body = {"parent_id": unit_id["tienluong"], "effective_on": today.isoformat()}
    moved = api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-1']}/moves", json=body)
    assert moved.is_success, moved.text

    def months(**query: str) -> list[float]:
        trends = page(api.as_("camkhe"), commune, **query)["trends"]
        [points] = [t["points"] for t in trends if t["indicator"] == "members.total"]
        return [point["value"] for point in points]

    was, is_, yesterday = (
        months(),
        months(hierarchy="as_is"),
        months(hierarchy=(today - DAY).isoformat()),
    )
    assert was == months(hierarchy="as_was")
    assert was[-2] > is_[-2]
    assert (was[-1], was[-2]) == (is_[-1], yesterday[-2])
    assert yesterday[-1] > was[-1]


def test_an_older_tree_shows_no_units_that_are_of_others(api: Api, unit_id: UnitIds) -> None:
    """The commune that received a branch may not ask for a tree in which the other one had it, nor a
    day to come."""
    body = {"parent_id": unit_id["tienluong"], "effective_on": local_today().isoformat()}
    answer = api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-1']}/moves", json=body)
    assert answer.is_success, answer.text
    address = f"/v1/units/{unit_id['phuongvi']}/overview"
    yesterday = (local_today() - DAY).isoformat()
    officer = api.as_("phuongvi")
    for hierarchy, status in ((yesterday, 403), ("as_is", 200), ("2999-01-01", 422), ("x", 422)):
        assert officer.get(address, params={"hierarchy": hierarchy}).status_code == status


def test_it_is_few_statements_of_any_unit(api: Api, unit_id: UnitIds, database: Database) -> None:
    folding.fold(database)
    for name in ("phuongvi-1", "phuongvi", "camkhe", "phutho"):
        officer = api.as_(name)
        with counted(database) as statements:
            page(officer, unit_id[name])
        begins = next(n for n, text in enumerate(statements) if text.startswith("BEGIN"))
        of_the_page = statements[begins + 1 : -1]
        assert len(of_the_page) <= 15, (name, of_the_page)


def test_branches_without_a_meeting_are_counted_from_the_60th_day(
    api: Api, unit_id: UnitIds, database: Database
) -> None:
    officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
    assert attention(officer, commune)["events.idle_branches"] == 4
    noon = utc_now().astimezone(VIETNAM).replace(hour=12)
    for branch, days in (("phuongvi-1", 59), ("phuongvi-2", 60)):
        hold(database, [unit_id[branch]], starts_at=noon - days * DAY, state="held")
    # A second host has met, too.
    joint = [unit_id["phuongvi-1"], unit_id["phuongvi-3"]]
    hold(database, joint, starts_at=noon - DAY, state="closed")
    hold(database, [unit_id["phuongvi-4"]], starts_at=noon - DAY, state="cancelled")
    assert attention(officer, commune)["events.idle_branches"] == 2
    idle = explained(officer, "events.idle_branches", commune)
    assert {each["title"] for each in idle["items"]} == {"Chi hội khu 2", "Chi hội khu 4"}


def test_families_without_a_visit_are_counted_from_the_180th_day(
    api: Api, unit_id: UnitIds, database: Database
) -> None:
    officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
    today = local_today()
    homes = [home(database, unit_id["phuongvi-1"]) for _ in range(3)]
    for household, days in zip(homes, (179, 180, 400), strict=True):
        decide(database, household, "poor", (today - days * DAY).isoformat())
    assert attention(officer, commune)["support.unvisited"] == 2
    visit = {"visited_on": today.isoformat(), "visitors": ["Hà Thị Mơ"]}
    answer = officer.post(f"/v1/households/{homes[2]}/visits", json=visit)
    assert answer.status_code == 201, answer.text
    assert attention(officer, commune)["support.unvisited"] == 1
    rows = explained(officer, "support.unvisited", commune)["items"]
    assert [each["entity_id"] for each in rows] == [str(homes[1])]
