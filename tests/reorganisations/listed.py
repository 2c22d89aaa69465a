"""Lists in the trees of a reformed district against the figures of the same rows."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from app.models.kernel.units import Unit, UnitLevel
from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.members.members import everyone
from tests.reorganisations.reformed import DAY, Reformed

FIGURES = (
    "households.total",
    "movement.admitted",
    "events.sessions",
    "attendance.participations",
    "support.times",
    "cadres.posts",
)


class Listed(NamedTuple):
    """The rows of a list that its figure counts."""

    path: str
    figure: str
    counts: Callable[[Json], bool] = lambda row: True


def lists_are_as_long_as_their_figures(reformed: Reformed) -> None:
    """In each tree, of units of each level, closed ones too."""
    api = reformed.api
    first, last = reformed.today - DAY * 120, reformed.today
    compared: Counter[str] = Counter()
    levels = levels_of(reformed)
    trees = ["as_was", "as_is", str(reformed.days()[1])]
    for unit_id in some_units(reformed, levels):
        lists = listed(first, last, hosted_below(unit_id, levels))
        for tree in trees:
            figures = figures_of(api, unit_id, tree, first, last)
            for each in lists:
                rows = everyone(api, f"{each.path}&unit={unit_id}&hierarchy={tree}")
                found = sum(map(each.counts, rows))
                assert found == figures[each.figure], (each.path, unit_id, tree)
                compared[each.figure] += found
            groups_have_as_many_people(api, unit_id, tree)
            households_of_a_past_day(api, unit_id, tree, first)
    assert all(compared[name] for name in FIGURES)


def listed(first: date, last: date, took_place: Callable[[Json], bool]) -> list[Listed]:
    period = f"from={first}&to={last}"

    def of_period(row: Json) -> bool:
        return bool(row["state"] == "approved" and str(first) <= row["given_on"] <= str(last))

    return [
        Listed("/v1/households?", "households.total"),
        Listed(f"/v1/memberships?{period}", "movement.admitted", admitted_from(first)),
        Listed(f"/v1/sessions?{period}", "events.sessions", took_place),
        Listed(f"/v1/attendance?{period}", "attendance.participations", with_a_branch),
        Listed("/v1/support?", "support.times", of_period),
        Listed(f"/v1/appointments?in_force_on={last}", "cadres.posts"),
    ]


def admitted_from(first: date) -> Callable[[Json], bool]:
    """Who was entered without the day she joined was not admitted in the period."""

    def counts(row: Json) -> bool:
        since, entered = row["valid_from"], row["counted_from"]
        if since < str(first) or row["joined_by"] not in ("admission", "readmission"):
            return False
        undated = entered is not None and (
            since < entered or (since == entered and row["joined_by"] == "admission")
        )
        return not undated

    return counts


def hosted_below(unit_id: int, levels: dict[int, UnitLevel]) -> Callable[[Json], bool]:
    """Sessions that took place, without those that a unit above has invited to."""
    order = [*UnitLevel]

    def counts(row: Json) -> bool:
        [host] = row["host_unit_ids"]
        above = order.index(levels[host]) < order.index(levels[unit_id])
        return row["state"] in ("held", "closed") and not above

    return counts


def with_a_branch(row: Json) -> bool:
    return row["branch_id"] is not None


def levels_of(reformed: Reformed) -> dict[int, UnitLevel]:
    with Session(reformed.database.writer) as session:
        units: list[Unit] = [*session.exec(select(Unit).order_by(col(Unit.id)))]
    return {unit.id: unit.level for unit in units}


def some_units(reformed: Reformed, levels: dict[int, UnitLevel]) -> list[int]:
    """The province, some communes and branches, open ones and closed ones."""
    found = [reformed.id["phutho"]]
    for level in (UnitLevel.commune, UnitLevel.branch):
        found += reformed.random.sample([id_ for id_ in levels if levels[id_] is level], 2)
    return found


def figures_of(api: Api, unit_id: int, tree: str, first: date, last: date) -> dict[str, Any]:
    period = f"{first}..{last}"
    query = {"unit": unit_id, "period": period, "hierarchy": tree, "indicators": ",".join(FIGURES)}
    answer = api.get("/v1/figures", params=query)
    assert answer.status_code == 200, answer.text
    return {each["indicator"]: each["value"] for each in answer.json()["items"]}


def groups_have_as_many_people(api: Api, unit_id: int, tree: str) -> None:
    query = f"unit={unit_id}&hierarchy={tree}"
    groups = everyone(api, f"/v1/groups?{query}")
    counted = api.get(f"/v1/groups/count?{query}").json()
    assert sum(each["people"] for each in groups) == counted["participations"], (unit_id, tree)


def households_of_a_past_day(api: Api, unit_id: int, tree: str, day: date) -> None:
    rows = everyone(api, f"/v1/households?as_of={day}&unit={unit_id}&hierarchy={tree}")
    figures = figures_of(api, unit_id, tree, day, day)
    assert len(rows) == figures["households.total"], (unit_id, tree)
