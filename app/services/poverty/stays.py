"""From the history of one household to its stays in poverty, and from them to flows. Pure.

A stay lasts while class, place, units, area, decision and the people counted are the same: who has
gone into another household is counted there. Every boundary between two stays, or a stay and none,
is counted twice: as leaving the class in the one unit and as entering it in the other, so that for
any unit, period and part

closing = opening + entries - exits

holds by construction.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from app.models.households.households import PovertyClass
from app.models.kernel.units import AreaType
from app.models.poverty.flows import FlowGrain, FlowKind, FlowTable
from app.models.poverty.poverty import StatusChange

T = TypeVar("T")
_DAY = timedelta(days=1)
_TABLES = {
    PovertyClass.poor: FlowTable.poor,
    PovertyClass.near_poor: FlowTable.near_poor,
}


class Path(NamedTuple):
    """The units above a branch; central is not among them, it is the sum of the provinces."""

    commune_id: int | None
    district_id: int | None
    province_id: int | None


class StayPlace(NamedTuple):
    valid_from: date
    valid_to: date | None
    branch_id: int
    area: AreaType | None


class StayDecision(NamedTuple):
    valid_from: date
    valid_to: date | None
    poverty_class: PovertyClass
    change: StatusChange
    causes: tuple[str, ...]
    # Of the household, as it was recorded when the decision was.
    ethnicity: str | None = None
    id: UUID | None = None


class StayPerson(NamedTuple):
    """`ethnicity` is known of members only."""

    valid_from: date
    valid_to: date | None
    is_head: bool
    is_woman: bool
    ethnicity: str | None


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of a household, each in order of its days."""

    places: Sequence[StayPlace]
    decisions: Sequence[StayDecision]
    people: Sequence[StayPerson] = ()
    minority: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """Where branches stood: by branch the stretches of its path; by commune the stretches of its area
    type.

    The first stretch counts for all days before it, the last for all after it.
    """

    were: Mapping[int, Sequence[tuple[date, Path]]]
    areas: Mapping[int, Sequence[tuple[date, AreaType | None]]] = field(default_factory=dict)

    def stretches(
        self, branch_id: int, first: date, last: date | None
    ) -> Iterator[tuple[date, date | None, Path]]:
        """The paths of a branch between two days."""
        return _between(self.were[branch_id], first, last)

    def areas_of(
        self, commune_id: int | None, first: date, last: date | None
    ) -> Iterator[tuple[date, date | None, AreaType | None]]:
        """The area types of a commune between two days."""
        unknown: Sequence[tuple[date, AreaType | None]] = [(first, None)]
        return _between(self.areas.get(commune_id or 0, unknown), first, last)


def _between(
    found: Sequence[tuple[date, T]], first: date, last: date | None
) -> Iterator[tuple[date, date | None, T]]:
    for place, (since, value) in enumerate(found):
        until = found[place + 1][0] - _DAY if place + 1 < len(found) else None
        begins = first if place == 0 else max(first, since)
        ends = _sooner(last, until)
        if ends is None or begins <= ends:
            yield begins, ends, value


class Counted(NamedTuple):
    """How a stay is counted: what the flow tables are divided by."""

    people: int
    area: AreaType | None
    ethnicity: str | None
    minority: bool
    female_head: bool
    causes: tuple[str, ...]

    def parts(self) -> Iterator[tuple[str, str]]:
        """(by, part): the total, and of each division the part or parts it belongs to."""
        yield "", ""
        yield "area", self.area.value if self.area else "unknown"
        yield "ethnicity", self.ethnicity or "unknown"
        yield "minority", "yes" if self.minority else "no"
        yield "female_head", "yes" if self.female_head else "no"
        for cause in self.causes or ("unknown",):
            yield "cause", cause


class Stay(NamedTuple):
    poverty_class: FlowTable
    valid_from: date
    valid_to: date | None
    entered: FlowKind
    left_by: FlowKind | None
    branch_id: int
    was: Path
    counted: Counted


class Flow(NamedTuple):
    unit_id: int
    by: str
    grain: FlowGrain
    starts_on: date
    poverty_class: FlowTable
    kind: FlowKind
    part: str


def _sooner(one: date | None, other: date | None) -> date | None:
    ends = [day for day in (one, other) if day is not None]
    return min(ends, default=None)


def _covers(row: StayPlace | StayDecision | StayPerson, day: date) -> bool:
    return row.valid_from <= day and (row.valid_to is None or day <= row.valid_to)


# -- stays


def stays_of(history: History, tree: Tree) -> list[Stay]:
    """Its stays in order of their days; none overlap."""
    pieces = sorted(_pieces(history, tree), key=lambda piece: piece.valid_from)
    seen: set[FlowTable] = set()
    found = []
    for place, piece in enumerate(pieces):
        follows = place > 0 and pieces[place - 1].valid_to == piece.valid_from - _DAY
        goes_on = (
            place + 1 < len(pieces)
            and piece.valid_to is not None
            and pieces[place + 1].valid_from == piece.valid_to + _DAY
        )
        entered = piece.entered
        if follows:
            same = pieces[place - 1].poverty_class is piece.poverty_class
            entered = FlowKind.adjusted_in if same else FlowKind.from_other
        elif piece.poverty_class in seen:
            entered = FlowKind.relapsed
        left_by = None
        if piece.valid_to is not None and not goes_on:
            left_by = _way_out(history, piece.valid_to + _DAY)
        seen.add(piece.poverty_class)
        found.append(piece._replace(entered=entered, left_by=left_by))
    return found


def _pieces(history: History, tree: Tree) -> Iterator[Stay]:
    for decision in history.decisions:
        table = _TABLES.get(decision.poverty_class)
        if table is None:
            continue
        relapsed = decision.change is StatusChange.relapsed
        for place in history.places:
            first = max(decision.valid_from, place.valid_from)
            last = _sooner(decision.valid_to, place.valid_to)
            if last is not None and last < first:
                continue
            for since, until, path, area in _stood(tree, place, first, last):
                for begins, ends, counted in _counts(history, decision, area, since, until):
                    yield Stay(
                        table,
                        begins,
                        ends,
                        FlowKind.relapsed if relapsed else FlowKind.new,
                        None,
                        place.branch_id,
                        path,
                        counted,
                    )


def _stood(
    tree: Tree, place: StayPlace, first: date, last: date | None
) -> Iterator[tuple[date, date | None, Path, AreaType | None]]:
    """Where it stood between two days, and in what area: its own, or that of the commune then."""
    for since, until, path in tree.stretches(place.branch_id, first, last):
        if place.area is not None:
            yield since, until, path, place.area
            continue
        for begins, ends, area in tree.areas_of(path.commune_id, since, until):
            yield begins, ends, path, area


def _counts(
    history: History, decision: StayDecision, area: AreaType | None, first: date, last: date | None
) -> Iterator[tuple[date, date | None, Counted]]:
    """How it is counted between two days: anew whenever people come or go, or another is the head."""
    days = {person.valid_from for person in history.people}
    days |= {person.valid_to + _DAY for person in history.people if person.valid_to is not None}
    later = sorted(day for day in days if first < day and (last is None or day <= last))
    begins, counted = first, _counted(history, decision, area, first)
    for day in later:
        then = _counted(history, decision, area, day)
        if then != counted:
            yield begins, day - _DAY, counted
            begins, counted = day, then
    yield begins, last, counted


def _counted(history: History, decision: StayDecision, area: AreaType | None, day: date) -> Counted:
    present = [person for person in history.people if _covers(person, day)]
    head = next((person for person in present if person.is_head), None)
    return Counted(
        people=len(present),
        area=area,
        ethnicity=decision.ethnicity or ethnicity_on(history.people, decision.valid_from),
        minority=history.minority,
        female_head=head is not None and head.is_woman,
        causes=decision.causes,
    )


def ethnicity_on(people: Sequence[StayPerson], day: date) -> str | None:
    """Of the head, or of the first of whom it is known."""
    present = [person for person in people if _covers(person, day) and person.ethnicity]
    heads = [person.ethnicity for person in present if person.is_head]
    return next(iter((*heads, *(person.ethnicity for person in present))), None)


def _way_out(history: History, day: date) -> FlowKind:
    """Why it is in no stay from this day on: risen above both lines, or anything else."""
    lives = any(_covers(place, day) for place in history.places)
    decided = any(_covers(decision, day) for decision in history.decisions)
    return FlowKind.escaped if lives and decided else FlowKind.ended


# -- flows


class Step(NamedTuple):
    """A household comes into a class of a unit, or goes out of it."""

    unit_id: int
    day: date
    poverty_class: FlowTable
    kind: FlowKind
    counted: Counted


# The units that a stay counts in, in one order of levels.
UnitsOf = Callable[[Stay], Sequence[int | None]]


def flows_of(stays: Sequence[Stay]) -> tuple[Counter[Flow], Counter[Flow]]:
    """What the stays of one household add to the roll-up: (households, people)."""
    return _flows(_steps([stays], sign=1))


# Of its branches the roll-up has few rows: of days alone.
_UNITS_OF: tuple[tuple[UnitsOf, Sequence[FlowGrain]], ...] = (
    (lambda stay: (stay.branch_id,), (FlowGrain.day,)),
    (lambda stay: stay.was, (FlowGrain.day, FlowGrain.year)),
)
# With the place in `_UNITS_OF`: how often.
_Steps = Counter[tuple[int, Step]]


def _steps(households: Iterable[Sequence[Stay]], *, sign: int) -> _Steps:
    found: _Steps = Counter()
    for stays in households:
        for place, (units_of, _) in enumerate(_UNITS_OF):
            for step in steps_of(stays, units_of):
                found[place, step] += sign
    return found


def _flows(steps: _Steps) -> tuple[Counter[Flow], Counter[Flow]]:
    households: Counter[Flow] = Counter()
    people: Counter[Flow] = Counter()
    for (place, step), times in steps.items():
        for by, part in step.counted.parts() if times else ():
            for grain in _UNITS_OF[place][1]:
                starts_on = date(step.day.year, 1, 1) if grain is FlowGrain.year else step.day
                flow = Flow(step.unit_id, by, grain, starts_on, step.poverty_class, step.kind, part)
                households[flow] += times
                people[flow] += times * step.counted.people
    return households, people


def steps_of(stays: Sequence[Stay], units_of: UnitsOf) -> Iterator[Step]:
    """All steps of a household whose stays these are, in order of their days."""
    before: Stay | None = None
    for stay in stays:
        if before is not None and before.valid_to == stay.valid_from - _DAY:
            yield from _across(before, stay, units_of)
        else:
            if before is not None:
                yield from _alone(before, units_of, left=True)
            yield from _alone(stay, units_of, left=False)
        before = stay
    if before is not None and before.valid_to is not None:
        yield from _alone(before, units_of, left=True)


def _alone(stay: Stay, units_of: UnitsOf, *, left: bool) -> Iterator[Step]:
    """It came from, or went to, where no poverty is recognised."""
    if left:
        assert stay.valid_to is not None  # noqa: S101  # it has been left
        day, kind = stay.valid_to + _DAY, stay.left_by or FlowKind.ended
    else:
        day, kind = stay.valid_from, stay.entered
    for unit_id in units_of(stay):
        if unit_id is not None:
            yield Step(unit_id, day, stay.poverty_class, kind, stay.counted)


def _across(before: Stay, stay: Stay, units_of: UnitsOf) -> Iterator[Step]:
    day = stay.valid_from
    for old, new in zip(units_of(before), units_of(stay), strict=True):
        if old != new:
            out, into = FlowKind.moved_out, FlowKind.moved_in
        elif before.poverty_class is not stay.poverty_class:
            out, into = FlowKind.to_other, FlowKind.from_other
        elif before.counted == stay.counted:
            continue
        else:
            out, into = FlowKind.adjusted_out, FlowKind.adjusted_in
        if old is not None:
            yield Step(old, day, before.poverty_class, out, before.counted)
        if new is not None:
            yield Step(new, day, stay.poverty_class, into, stay.counted)


def changed(
    old: Iterable[Sequence[Stay]], new: Iterable[Sequence[Stay]]
) -> dict[Flow, tuple[int, int]]:
    """What to add to the roll-up when these stays take the place of those."""
    steps = _steps(new, sign=1)
    # Most of them are the same ones: what stays is not divided.
    steps.update(_steps(old, sign=-1))
    households, people = _flows(steps)
    return {
        flow: (households[flow], people[flow])
        for flow in households
        if households[flow] or people[flow]
    }
