"""Random histories of a small tree, held to a plain model of it: who stood under whom each day.

The model knows no intervals and no closure, only an answer for every unit and day; so it cannot
make the mistakes that interval arithmetic makes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.errors import Problem
from app.models.access import Role
from app.models.accounts import AccountKind
from app.models.base import new_id
from app.models.changes import ChangeSource
from app.models.members import Member, MemberStatus
from app.models.units import (
    LEVEL_ORDER,
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
from app.services import changes, units
from app.services.access import Actor, HeldGrant

TODAY = local_today()
# Day 0 to day 24, which is today; day 25 is tomorrow, when nothing may be recorded yet.
LAST = 24
DAYS = [TODAY - timedelta(days=LAST - number) for number in range(LAST + 2)]
PATH = ("province_id", "district_id", "commune_id", "branch_id")


def officer(root_id: int) -> Actor:
    """May do everything everywhere: what is tested here is the tree."""
    grant = HeldGrant(
        id=new_id(),
        role=Role.province_officer,
        valid_from=DAYS[0],
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
        now = utc_now()
        root = Unit(
            level=UnitLevel.central,
            name="Trung ương",
            name_key="trung uong",
            opened_on=DAYS[0],
            created_at=now,
            updated_at=now,
        )
        session.add(root)
        session.flush()
        for depth_zero in (
            UnitClosure(ancestor_id=root.id, descendant_id=root.id, valid_from=DAYS[0], depth=0),
            UnitIdentifier(
                unit_id=root.id,
                scheme=IdentifierScheme.name,
                value="Trung ương",
                valid_from=DAYS[0],
            ),
        ):
            session.add(depth_zero)
        session.flush()
        self.root = root.id
        self.actor = officer(root.id)
        names = dict.fromkeys(range(LAST + 1), "Trung ương")
        self.known[root.id] = Known(UnitLevel.central, 0, names=names)

    # -- choosing

    def pick(self, number: int, *, above: UnitLevel | None = None) -> int | None:
        """A unit by an arbitrary number; with `above`, one that could be the parent of a level."""
        rank = len(LEVEL_ORDER) if above is None else LEVEL_ORDER.index(above)
        found = [
            unit_id
            for unit_id, unit in self.known.items()
            if LEVEL_ORDER.index(unit.level) < rank and (above or unit_id != self.root)
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

    # -- acts

    def open(self, level: UnitLevel, parent_id: int, day: int, status: str | None) -> int | None:
        parent = self.known[parent_id]
        in_province = level is UnitLevel.province or parent.level is not UnitLevel.central
        legal = day <= LAST and in_province and parent.open_on(day) and parent.closed is None
        self.count += 1
        name = f"Đơn vị {self.count}"
        made: list[int] = []
        with self.attempt(legal):
            body = UnitCreate(level=level, name=name, parent_id=parent_id, opened_on=DAYS[day])
            made.append(units.create(self.session, self.actor, body).id)
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
            body = UnitMove(parent_id=parent_id, effective_on=DAYS[day])
            units.move(self.session, self.actor, unit_id, body)
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
            body = UnitClose(closed_on=DAYS[day], kind=SuccessionKind.abolish)
            units.close(self.session, self.actor, unit_id, body)
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
            body = UnitUpdate(name=name, effective_on=DAYS[day])
            units.update(self.session, self.actor, unit_id, body, None)
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
            assert sorted((row.unit_id, row.parent_id) for row in on(edges, number)) == sorted(
                (unit_id, unit.parents[number])
                for unit_id, unit in self.known.items()
                if number in unit.parents
            )
            assert sorted(
                (r.descendant_id, r.ancestor_id, r.depth) for r in on(closure, number)
            ) == (
                sorted(
                    (unit_id, ancestor_id, depth)
                    for unit_id in alive
                    for depth, ancestor_id in enumerate(self.line(unit_id, number))
                )
            )
            assert {row.unit_id: row.value for row in on(names, number)} == {
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
            assert row.closed_on == (None if unit.closed is None else DAYS[unit.closed])
        for member in self.session.execute(
            select(Member.branch_id, Member.commune_id, Member.province_id).where(  # type: ignore[call-overload]  # columns
                col(Member.branch_id).in_(list(self.known))
            )
        ):
            path = expected[member.branch_id]
            assert (member.commune_id, member.province_id) == (
                path["commune_id"],
                path["province_id"],
            )

    def _rows(self, model: type[Any], which: Any) -> Sequence[Any]:
        return self.session.exec(
            select(model).where(which).execution_options(populate_existing=True)
        ).all()


def on(rows: Sequence[Any], number: int) -> list[Any]:
    day = DAYS[number]
    return [r for r in rows if r.valid_from <= day and (r.valid_to is None or r.valid_to >= day)]


@contextmanager
def world(database: Database) -> Iterator[World]:
    """Two provinces, a district, three communes, four branches; undone at the end."""
    with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
        changes.attribute(session, changes.Origin(ChangeSource.job))
        yield World(session)
        session.rollback()


def plant(made: World) -> list[int]:
    def open_(level: UnitLevel, parent_id: int, day: int, status: str | None = None) -> int:
        unit_id = made.open(level, parent_id, day, status)
        assert unit_id is not None
        return unit_id

    north = open_(UnitLevel.province, made.root, 0)
    south = open_(UnitLevel.province, made.root, 1)
    district = open_(UnitLevel.district, north, 1)
    in_district = open_(UnitLevel.commune, district, 2)
    in_north = open_(UnitLevel.commune, north, 2)
    in_south = open_(UnitLevel.commune, south, 3)
    full = open_(UnitLevel.branch, in_district, 3, "active")
    left = open_(UnitLevel.branch, in_district, 4, "left")
    empty = open_(UnitLevel.branch, in_north, 4)
    group = open_(UnitLevel.group, full, 5)
    return [north, south, district, in_district, in_north, in_south, full, left, empty, group]


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
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(acts, min_size=3, max_size=12))
def test_any_history_keeps_edges_closure_names_and_columns_together(
    database: Database, history: list[tuple[Any, ...]]
) -> None:
    with world(database) as made:
        plant(made)
        for act in history:
            do(made, act)
            made.check()


class TestHistoriesThatWentWrong:
    """Each was a wrong row once: moves that cut what ran past the moved unit."""

    def test_a_branch_that_left_keeps_its_new_line_when_its_old_commune_moves(
        self, database: Database
    ) -> None:
        with world(database) as made:
            north, south, _, in_district, in_north, _, full, *_ = plant(made)
            made.move(full, in_north, 10)
            made.move(in_district, south, 12)
            made.check()
            assert made.line(full, 15) == [full, in_north, north, made.root]

    def test_a_move_recorded_late_stops_where_its_branch_had_moved_on(
        self, database: Database
    ) -> None:
        with world(database) as made:
            _, south, _, in_district, in_north, _, full, *_ = plant(made)
            made.move(full, in_north, 15)
            made.move(in_district, south, 8)
            made.check()
            assert made.line(full, 10) == [full, in_district, south, made.root]

    def test_a_closed_unit_is_moved_within_its_lifetime_only(self, database: Database) -> None:
        with world(database) as made:
            _, south, _, _, in_north, in_south, _, left, *_ = plant(made)
            made.close(left, 14)
            made.move(left, in_north, 9)
            made.move(in_north, south, 12)
            made.check()
            made.move(left, in_south, 15)
            made.check()
            assert made.known[left].last_move == 9

    def test_what_closed_before_a_move_keeps_the_path_it_closed_with(
        self, database: Database
    ) -> None:
        with world(database) as made:
            _, south, _, in_district, _, _, _, left, *_ = plant(made)
            made.close(left, 10)
            made.move(in_district, south, 11)
            made.check()

    def test_a_unit_is_not_closed_before_what_happened_below_it(self, database: Database) -> None:
        with world(database) as made:
            *_, in_north, _, _, _, empty, _ = plant(made)
            made.close(empty, 18)
            made.close(in_north, 17)
            assert made.known[in_north].closed is None
            made.close(in_north, 18)
            assert made.known[in_north].closed == 18
            made.check()
