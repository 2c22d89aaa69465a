"""Flows balance for any history: random histories against a model that counts day by day."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.households.households import PovertyClass
from app.models.kernel.units import AreaType
from app.models.poverty.flows import ENTRIES, FlowGrain, FlowKind, FlowTable
from app.models.poverty.poverty import StatusChange
from app.services.poverty.stays import (
    History,
    Path,
    Stay,
    StayDecision,
    StayPerson,
    StayPlace,
    Tree,
    changed,
    flows_of,
    stays_of,
)
from tests.helpers.soak import longer

START = date(2024, 1, 1)
DAYS = 400
DAY = timedelta(days=1)
# Branch 1 goes from commune 10 to 20 on the 100th day; branch 3 stands in another province.
TREE = Tree(
    were={
        1: [(START, Path(10, 5, 7)), (START + 100 * DAY, Path(20, None, 7))],
        2: [(START, Path(20, 5, 7))],
        3: [(START, Path(30, None, 8))],
    },
    # Commune 20 was a town until the 200th day.
    areas={
        10: [(START, AreaType.urban)],
        20: [(START, AreaType.urban), (START + 200 * DAY, AreaType.rural)],
        30: [(START, AreaType.rural)],
    },
)
CLASSES = st.sampled_from(PovertyClass)
CUTS = st.lists(st.integers(0, DAYS), min_size=1, max_size=6, unique=True).map(sorted)


def day(number: int) -> date:
    return START + number * DAY


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Places without a gap from the first cut on; decisions with and without gaps."""
    cuts = draw(CUTS)
    closed = draw(st.booleans())
    ends = [*cuts[1:], draw(st.integers(cuts[-1] + 1, DAYS + 50)) if closed else None]
    places = [
        StayPlace(day(a), None if b is None else day(b - 1), draw(st.sampled_from([1, 2, 3])), None)
        for a, b in zip(cuts, ends, strict=True)
    ]
    decisions = []
    cuts = draw(CUTS)
    for a, b in zip(cuts, [*cuts[1:], None], strict=True):
        until = b if b is None or draw(st.booleans()) else draw(st.integers(a + 1, b))
        change = draw(st.sampled_from(StatusChange))
        causes = tuple(draw(st.sets(st.sampled_from(["capital", "illness"]))))
        decision = StayDecision(
            day(a), None if until is None else day(until - 1), draw(CLASSES), change, causes
        )
        decisions.append(decision)
    people = [
        StayPerson(day(draw(st.integers(0, DAYS))), None, number == 0, draw(st.booleans()), None)
        for number in range(draw(st.integers(0, 4)))
    ]
    return History(places, decisions, people, draw(st.booleans()))


def stands(stays: list[Stay], when: date, unit: int, table: FlowTable) -> list[Stay]:
    """The model: who stands in a class of a unit on a day."""
    return [
        stay
        for stay in stays
        if stay.poverty_class is table
        and stay.valid_from <= when
        and (stay.valid_to is None or when <= stay.valid_to)
        and unit in (stay.branch_id, *stay.was)
    ]


class TestBalance:
    @settings(max_examples=longer(150), deadline=None)
    @given(
        st.lists(histories(), min_size=1, max_size=3), st.integers(0, DAYS), st.integers(0, DAYS)
    )
    def test_closing_is_opening_and_what_came_less_what_went(
        self, world: list[History], one: int, other: int
    ) -> None:
        first, last = sorted((one, other))
        all_stays = [stays_of(history, TREE) for history in world]
        flows = changed([], all_stays)
        for unit in (1, 2, 3, 10, 20, 30, 5, 7, 8):
            for table in FlowTable:
                counts = Counter[str]()
                for flow, (households, people) in flows.items():
                    if (flow.unit_id, flow.poverty_class) != (unit, table):
                        continue
                    if flow.by or flow.grain is not FlowGrain.day:
                        continue
                    sign = 1 if flow.kind in ENTRIES else -1
                    if flow.starts_on < day(first):
                        counts["opening"] += sign * households
                        counts["opening people"] += sign * people
                    elif flow.starts_on <= day(last):
                        counts["flow"] += sign * households
                        counts["flow people"] += sign * people
                before, after = (
                    [s for stays in all_stays for s in stands(stays, d, unit, table)]
                    for d in (day(first) - DAY, day(last))
                )
                assert counts["opening"] == len(before)
                assert counts["opening people"] == sum(s.counted.people for s in before)
                assert counts["opening"] + counts["flow"] == len(after)
                assert counts["opening people"] + counts["flow people"] == sum(
                    s.counted.people for s in after
                )

    @settings(max_examples=longer(100), deadline=None)
    @given(histories(), histories())
    def test_what_is_replaced_leaves_nothing_behind(self, old: History, new: History) -> None:
        one, two = stays_of(old, TREE), stays_of(new, TREE)
        total = Counter(dict(flows_of(one)[0]))
        for flow, (households, _) in changed([one], [two]).items():
            total[flow] += households
        assert +total == +flows_of(two)[0]
        assert all(number >= 0 for number in total.values())
        assert changed([one], [one]) == {}

    @settings(max_examples=longer(100), deadline=None)
    @given(histories())
    def test_years_are_the_sum_of_their_days(self, history: History) -> None:
        households, people = flows_of(stays_of(history, TREE))
        for numbers in (households, people):
            days: Counter[object] = Counter()
            for flow, number in numbers.items():
                if flow.grain is FlowGrain.day and flow.unit_id > 3:
                    year = date(flow.starts_on.year, 1, 1)
                    days[flow._replace(grain=FlowGrain.year, starts_on=year)] += number
            years = {f: n for f, n in numbers.items() if f.grain is FlowGrain.year and n}
            assert +days == years

    @settings(max_examples=longer(100), deadline=None)
    @given(histories())
    def test_stays_never_overlap(self, history: History) -> None:
        stays = stays_of(history, TREE)
        for before, after in pairwise(stays):
            assert before.valid_to is not None
            assert before.valid_to < after.valid_from


class TestKinds:
    def decided(self, *classes: PovertyClass) -> History:
        """A year each, in branch 2."""
        decisions = [
            StayDecision(date(2020 + n, 1, 1), date(2020 + n, 12, 31), each, StatusChange.none, ())
            for n, each in enumerate(classes)
        ]
        return History([StayPlace(date(2000, 1, 1), None, 2, None)], decisions)

    def kinds(self, *classes: PovertyClass) -> list[tuple[int, FlowTable, FlowKind]]:
        """(year, table, kind) in commune 20, in order."""
        households, _ = flows_of(stays_of(self.decided(*classes), TREE))
        return sorted(
            (flow.starts_on.year, flow.poverty_class, flow.kind)
            for flow in households
            if (flow.unit_id, flow.by) == (20, "") and flow.grain is FlowGrain.day
        )

    def test_out_of_poverty_and_back(self) -> None:
        poor, not_poor = PovertyClass.poor, PovertyClass.escaped_poverty
        assert self.kinds(poor, not_poor, poor) == [
            (2020, FlowTable.poor, FlowKind.new),
            (2021, FlowTable.poor, FlowKind.escaped),
            (2022, FlowTable.poor, FlowKind.relapsed),
            (2023, FlowTable.poor, FlowKind.ended),
        ]

    def test_between_the_two_classes(self) -> None:
        assert self.kinds(PovertyClass.poor, PovertyClass.near_poor, PovertyClass.poor) == [
            (2020, FlowTable.poor, FlowKind.new),
            (2021, FlowTable.near_poor, FlowKind.from_other),
            (2021, FlowTable.poor, FlowKind.to_other),
            (2022, FlowTable.near_poor, FlowKind.to_other),
            (2022, FlowTable.poor, FlowKind.from_other),
            (2023, FlowTable.poor, FlowKind.ended),
        ]

    def test_poor_again_is_no_flow(self) -> None:
        assert self.kinds(PovertyClass.poor, PovertyClass.poor) == [
            (2020, FlowTable.poor, FlowKind.new),
            (2022, FlowTable.poor, FlowKind.ended),
        ]
