"""Random histories of a small tree, held to a plain model of it: who stood under whom each day.

The model knows no intervals and no closure, only an answer for every unit and day; so it cannot
make the mistakes that interval arithmetic makes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.errors import Problem
from app.models.base import new_id
from app.models.kernel.access import Role
from app.models.kernel.accounts import AccountKind
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import (
    LEVEL_ORDER,
    GroupKind,
    IdentifierScheme,
    SuccessionKind,
    Unit,
    UnitClose,
    UnitClosure,
    UnitCreate,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitMove,
    UnitUpdate,
)
from app.models.members.members import Member, MemberStatus
from app.services.kernel import changes
from app.services.kernel.access import Actor, HeldGrant
from app.services.reorganisations import acts as unit_acts
from app.services.units import levels as levels_of_units
from tests.helpers.soak import longer

# Day 0 to day 24, which is today; day 25 is tomorrow, when nothing may be recorded yet.
LAST = 24
PATH = ("province_id", "district_id", "commune_id", "branch_id")


def officer(root_id: int) -> Actor:
    """May do everything everywhere: what is tested here is the tree."""
    grant = HeldGrant(
        id=new_id(),
        role=Role.province_officer,
        valid_from=date(2000, 1, 1),
        valid_to=None,
        unit_id=root_id,
        level=UnitLevel.central,
        name="Trung ương",
        province_id=None,
        district_id=None,
        commune_id=None,
        branch_id=None,
        communes=(),
    )
    return Actor(
        account_id=new_id(),
        kind=AccountKind.person,
        username="trunguong",
        session_id=new_id(),
        device=None,
        member_id=None,
        must_change_password=False,
        grants=(grant,),
    )


@dataclass
class Known:
    """What the model knows of one unit."""

    level: UnitLevel
    opened: int
    closed: int | None = None
    parents: dict[int, int] = field(default_factory=dict)  # day number -> parent
    names: dict[int, str] = field(default_factory=dict)  # day number -> name
    last_move: int = 0
    last_name: int = 0
    people: bool = False

    def open_on(self, day: int) -> bool:
        return self.opened <= day and (self.closed is None or day <= self.closed)

    @property
    def days(self) -> range:
        return range(self.opened, (LAST if self.closed is None else self.closed) + 1)


class World:
    """One history, done by the services and by the model side by side."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.known: dict[int, Known] = {}
        self.count = 0
        first, now = local_today() - timedelta(days=LAST), utc_now()
        self.dates = [first + timedelta(days=number) for number in range(LAST + 2)]
        root = Unit(
            level=UnitLevel.central,
            name="Trung ương",
            name_key="trung uong",
            sort_key="trung,u{o|ng",
            opened_on=first,
            created_at=now,
            updated_at=now,
        )
        session.add(root)
        session.flush()
        for depth_zero in (
            UnitClosure(ancestor_id=root.id, descendant_id=root.id, valid_from=first, depth=0),
            UnitIdentifier(
                unit_id=root.id,
                scheme=IdentifierScheme.name,
                value="Trung ương",
                value_key="trung uong",
                valid_from=first,
            ),
        ):
            session.add(depth_zero)
        session.flush()
        self.ids = {"root": root.id}
        self.actor = officer(root.id)
        names = dict.fromkeys(range(LAST + 1), "Trung ương")
        self.known[root.id] = Known(UnitLevel.central, 0, names=names)

    def plant(
        self, name: str, level: UnitLevel, parent: str, day: int, status: str | None = None
    ) -> None:
        unit_id = self.open(level, self.ids[parent], day, status)
        assert unit_id is not None
        self.ids[name] = unit_id

    # -- choosing

    def pick(self, number: int, *, above: UnitLevel | None = None) -> int | None:
        """A unit by an arbitrary number; with `above`, one that could be the parent of a level."""
        rank = len(LEVEL_ORDER) if above is None else LEVEL_ORDER.index(above)
        found = [
            unit_id
            for unit_id, unit in self.known.items()
            if LEVEL_ORDER.index(unit.level) < rank and (above or unit_id != self.ids["root"])
        ]
        return found[number % len(found)] if found else None

    @contextmanager
    def attempt(self, legal: bool) -> Iterator[None]:
        """What the model calls legal is done; what it does not is refused and leaves no trace."""
        refused: str | None = None
        try:
            with self.session.begin_nested():
                yield
        except Problem as problem:
            refused = problem.code
        assert (refused is None) == legal, refused

    @contextmanager
    def undone(self) -> Iterator[None]:
        """The same world for every history."""
        known, savepoint = deepcopy(self.known), self.session.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()
            self.session.expunge_all()
            self.known = known

    # -- acts

    def act(self, verb: str, name: str, *rest: str | int) -> None:
        arguments = [self.ids[value] if isinstance(value, str) else value for value in rest]
        getattr(self, verb)(self.ids[name], *arguments)

    def path(self, name: str, day: int) -> list[str]:
        names = {unit_id: name for name, unit_id in self.ids.items()}
        return [names[unit_id] for unit_id in self.line(self.ids[name], day)]

    def open(self, level: UnitLevel, parent_id: int, day: int, status: str | None) -> int | None:
        parent = self.known[parent_id]
        in_province = level is UnitLevel.province or parent.level is not UnitLevel.central
        legal = day <= LAST and in_province and parent.open_on(day) and parent.closed is None
        self.count += 1
        name = f"Đơn vị {self.count}"
        made: list[int] = []
        with self.attempt(legal):
            body = UnitCreate(
                level=level,
                name=name,
                parent_id=parent_id,
                opened_on=self.dates[day],
                group_kind=GroupKind.other if level is UnitLevel.group else None,
            )
            made.append(unit_acts.create(self.session, self.actor, body).id)
        if not legal:
            return None
        [unit_id] = made
        unit = Known(level, day, last_move=day, last_name=day)
        for number in unit.days:
            unit.parents[number], unit.names[number] = parent_id, name
        self.known[unit_id] = unit
        if status is not None and level is UnitLevel.branch:
            self.admit(unit_id, MemberStatus(status))
        return unit_id

    def admit(self, branch_id: int, status: MemberStatus) -> None:
        branch, now = self.session.get_one(Unit, branch_id), utc_now()
        assert branch.province_id is not None
        self.session.add(
            Member(
                province_id=branch.province_id,
                commune_id=branch.commune_id,
                branch_id=branch_id,
                full_name="Hà Thị Mơ",
                sort_key="mo",
                search_key="ha thi mo",
                birth_date="1980",
                birth_year=1980,
                status=status,
                created_at=now,
                updated_at=now,
            )
        )
        self.session.flush()
        self.known[branch_id].people |= status is MemberStatus.active

    def move(self, unit_id: int, parent_id: int, day: int) -> None:
        unit, parent = self.known[unit_id], self.known[parent_id]
        in_province = unit.level is UnitLevel.province or parent.level is not UnitLevel.central
        outlived = parent.closed is not None and (
            unit.closed is None or unit.closed > parent.closed
        )
        in_time = day <= LAST and in_province and unit.open_on(day) and parent.open_on(day)
        stays = unit.parents[unit.days[-1]] == parent_id and day >= unit.last_move
        legal = in_time and not outlived and (stays or day > unit.last_move)
        with self.attempt(legal):
            body = UnitMove(parent_id=parent_id, effective_on=self.dates[day])
            unit_acts.move(self.session, self.actor, unit_id, body)
        if legal and not stays:
            unit.parents |= {number: parent_id for number in unit.days if number >= day}
            unit.last_move = day

    def close(self, unit_id: int, day: int) -> None:
        unit = self.known[unit_id]
        children = any(
            parent_id == unit_id and number > day
            for child in self.known.values()
            for number, parent_id in child.parents.items()
        )
        still_below = any(
            child.closed is None and child.parents.get(LAST) == unit_id
            for child in self.known.values()
        )
        empty = not (children or still_below or unit.people)
        after_all = day >= max(unit.last_move, unit.last_name)
        legal = day <= LAST and unit.closed is None and day >= unit.opened and empty and after_all
        with self.attempt(legal):
            body = UnitClose(
                effective_on=self.dates[day] + timedelta(days=1), kind=SuccessionKind.abolish
            )
            unit_acts.close(self.session, self.actor, unit_id, body)
        if legal:
            unit.closed = day
            for number in range(day + 1, LAST + 1):
                unit.parents.pop(number, None)
                unit.names.pop(number, None)

    def rename(self, unit_id: int, day: int) -> None:
        unit = self.known[unit_id]
        legal = day <= LAST and unit.open_on(day) and day >= unit.last_name
        self.count += 1
        name = f"Đơn vị {self.count}"
        with self.attempt(legal):
            body = UnitUpdate(name=name, effective_on=self.dates[day])
            unit_acts.update(self.session, self.actor, unit_id, body, None)
        if legal:
            unit.names |= {number: name for number in unit.days if number >= day}
            unit.last_name = day

    # -- comparing

    def line(self, unit_id: int, day: int) -> list[int]:
        """The unit and its ancestors of that day, upwards."""
        found = [unit_id]
        while (parent_id := self.known[found[-1]].parents.get(day)) is not None:
            found.append(parent_id)
        return found

    def check(self) -> None:
        """Everything stored says what the model says, on every day."""
        ids = list(self.known)
        edges = self._rows(UnitEdge, col(UnitEdge.unit_id).in_(ids))
        closure = self._rows(UnitClosure, col(UnitClosure.descendant_id).in_(ids))
        names = [
            row
            for row in self._rows(UnitIdentifier, col(UnitIdentifier.unit_id).in_(ids))
            if row.scheme is IdentifierScheme.name
        ]
        for row in (*edges, *closure, *names):
            assert row.valid_to is None or row.valid_from <= row.valid_to, row
        for number in range(LAST + 1):
            alive = {unit_id for unit_id, unit in self.known.items() if unit.open_on(number)}
            assert sorted(
                (row.unit_id, row.parent_id) for row in self._on(edges, number)
            ) == sorted(
                (unit_id, unit.parents[number])
                for unit_id, unit in self.known.items()
                if number in unit.parents
            )
            assert sorted(
                (r.descendant_id, r.ancestor_id, r.depth) for r in self._on(closure, number)
            ) == (
                sorted(
                    (unit_id, ancestor_id, depth)
                    for unit_id in alive
                    for depth, ancestor_id in enumerate(self.line(unit_id, number))
                )
            )
            assert {row.unit_id: row.value for row in self._on(names, number)} == {
                unit_id: self.known[unit_id].names[number] for unit_id in alive
            }
        self._check_columns()

    def _check_columns(self) -> None:
        rows = self.session.execute(
            select(
                *(getattr(Unit, name) for name in ("id", "name", "parent_id", "closed_on", *PATH))
            ).where(col(Unit.id).in_(list(self.known)))
        ).all()
        expected: dict[int, dict[str, int | None]] = {}
        for row in rows:
            unit = self.known[row.id]
            last = unit.days[-1]
            expected[row.id] = dict.fromkeys(PATH)
            for ancestor_id in self.line(row.id, last):
                column = f"{self.known[ancestor_id].level}_id"
                if column in PATH:
                    expected[row.id][column] = ancestor_id
            assert {name: row._mapping[name] for name in PATH} == expected[row.id]
            assert row.parent_id == unit.parents.get(last)
            assert row.name == unit.names[last]
            assert row.closed_on == (None if unit.closed is None else self.dates[unit.closed])
        for member in self.session.execute(
            select(Member.branch_id, Member.commune_id, Member.province_id).where(
                col(Member.branch_id).in_(list(self.known))
            )
        ):
            path = expected[member.branch_id]
            assert (member.commune_id, member.province_id) == (
                path["commune_id"],
                path["province_id"],
            )

    def _on(self, rows: Sequence[Any], number: int) -> list[Any]:
        day = self.dates[number]
        return [r for r in rows if r.valid_from <= day <= (r.valid_to or day)]

    def _rows(self, model: type[Any], which: Any) -> Sequence[Any]:
        return self.session.exec(
            select(model).where(which).execution_options(populate_existing=True)
        ).all()


@pytest.fixture
def planted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two provinces, a district, three communes, three branches and a group; never committed. As if
    districts were opened still: its days are the last ones before today."""
    monkeypatch.setattr(levels_of_units, "_levels", dict)
    with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
        changes.attribute(session, changes.Origin(ChangeSource.job))
        made = World(session)
        made.plant("north", UnitLevel.province, "root", 0)
        made.plant("south", UnitLevel.province, "root", 1)
        made.plant("district", UnitLevel.district, "north", 1)
        made.plant("in_district", UnitLevel.commune, "district", 2)
        made.plant("in_north", UnitLevel.commune, "north", 2)
        made.plant("in_south", UnitLevel.commune, "south", 3)
        made.plant("full", UnitLevel.branch, "in_district", 3, "active")
        made.plant("left", UnitLevel.branch, "in_district", 4, "left")
        made.plant("empty", UnitLevel.branch, "in_north", 4)
        made.plant("group", UnitLevel.group, "full", 5)
        yield made
        session.rollback()


numbers = st.integers(min_value=0, max_value=60)
days = st.integers(min_value=0, max_value=LAST + 1)
levels = st.sampled_from(LEVEL_ORDER[1:])
statuses = st.sampled_from([None, "active", "left"])
acts = st.one_of(
    st.tuples(st.just("open"), levels, numbers, days, statuses),
    st.tuples(st.just("move"), numbers, numbers, days),
    st.tuples(st.just("move"), numbers, numbers, days),
    st.tuples(st.just("close"), numbers, days),
    st.tuples(st.just("rename"), numbers, days),
)


def do(made: World, act: tuple[Any, ...]) -> None:
    match act:
        case "open", level, number, day, status:
            parent_id = made.pick(number, above=level)
            assert parent_id is not None
            made.open(level, parent_id, day, status)
        case "move", number, other, day:
            unit_id = made.pick(number)
            assert unit_id is not None
            parent_id = made.pick(other, above=made.known[unit_id].level)
            assert parent_id is not None
            made.move(unit_id, parent_id, day)
        case "close", number, day:
            unit_id = made.pick(number)
            assert unit_id is not None
            made.close(unit_id, day)
        case "rename", number, day:
            unit_id = made.pick(number)
            assert unit_id is not None
            made.rename(unit_id, day)


@settings(
    max_examples=longer(40),
    deadline=None,
    database=None,
    # Shrinking repeats the failing history many hundred times: minutes, for a dozen acts.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(acts, min_size=4, max_size=12))
def test_any_history_keeps_edges_closure_names_and_columns_together(
    planted: World, history: list[tuple[Any, ...]]
) -> None:
    with planted.undone():
        for act in history:
            do(planted, act)
        planted.check()


class TestHistoriesOnce:
    """Those that intervals get wrong most easily, spelled out."""

    def test_a_branch_that_left_keeps_its_new_line_when_its_old_commune_moves(
        self, planted: World
    ) -> None:
        planted.act("move", "full", "in_north", 10)
        planted.act("move", "in_district", "south", 12)
        planted.check()
        assert planted.path("full", 15) == ["full", "in_north", "north", "root"]

    def test_a_move_recorded_late_stops_where_its_branch_had_moved_on(self, planted: World) -> None:
        planted.act("move", "full", "in_north", 15)
        planted.act("move", "in_district", "south", 8)
        planted.check()
        assert planted.path("full", 14) == ["full", "in_district", "south", "root"]
        assert planted.path("full", 15) == ["full", "in_north", "north", "root"]

    def test_a_move_recorded_late_leaves_alone_what_joined_later(self, planted: World) -> None:
        planted.act("move", "full", "in_north", 15)
        planted.act("move", "in_north", "south", 8)
        planted.check()
        assert planted.path("full", 14) == ["full", "in_district", "district", "north", "root"]
        assert planted.path("full", 15) == ["full", "in_north", "south", "root"]

    def test_a_closed_unit_is_moved_within_its_lifetime_only(self, planted: World) -> None:
        planted.act("close", "left", 14)
        planted.act("move", "left", "in_north", 9)
        planted.act("move", "in_north", "south", 12)
        planted.act("move", "left", "in_south", 15)
        planted.check()
        assert planted.path("left", 14) == ["left", "in_north", "south", "root"]
        assert planted.path("left", 15) == ["left"]

    def test_what_closed_before_a_move_keeps_the_path_it_closed_with(self, planted: World) -> None:
        planted.act("close", "left", 10)
        planted.act("move", "in_district", "south", 11)
        planted.check()
        assert planted.path("left", 10) == ["left", "in_district", "district", "north", "root"]

    def test_closing_late_goes_back_to_where_the_unit_stood_on_its_last_day(
        self, planted: World
    ) -> None:
        planted.act("move", "in_district", "south", 15)
        planted.act("close", "left", 12)
        planted.check()
        assert planted.path("left", 12) == ["left", "in_district", "district", "north", "root"]

    def test_what_closed_after_a_move_recorded_late_moves_with_it(self, planted: World) -> None:
        planted.act("close", "left", 10)
        planted.act("move", "in_district", "south", 10)
        planted.check()
        assert planted.path("left", 10) == ["left", "in_district", "south", "root"]

    def test_a_unit_is_not_closed_before_what_happened_below_it(self, planted: World) -> None:
        planted.act("close", "empty", 18)
        planted.act("close", "in_north", 17)
        planted.check()
        assert planted.known[planted.ids["in_north"]].closed is None
        planted.act("close", "in_north", 18)
        planted.check()
        assert planted.known[planted.ids["in_north"]].closed == 18

    def test_moved_and_moved_back_is_twice_under_the_same_parent(self, planted: World) -> None:
        planted.act("move", "in_district", "south", 8)
        planted.act("move", "in_district", "district", 12)
        planted.check()
        assert [len(planted.path("full", day)) for day in (7, 8, 11, 12)] == [5, 4, 4, 5]
