"""Random histories of reorganisations, of members who come, and of what is taken back."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlmodel import Session, SQLModel, col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.errors import Problem
from app.models.base import table_of
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitSuccession,
)
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.reorganisations.operations import UnitChange
from app.models.reorganisations.reorganisations import Reorganisation, ReorganisationState
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.reorganisations import applying, reading, reverting
from app.services.units.tree import lock_tree
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api
from tests.helpers.soak import SEED, TIMES
from tests.units.units import acting, admitted

TREE: tuple[type[SQLModel], ...] = (UnitEdge, UnitClosure, UnitIdentifier, UnitSuccession, Unit)
# In a soak a history of 200 steps.
STEPS = 12 if TIMES == 1 else 200
_OPERATIONS: TypeAdapter[list[UnitChange]] = TypeAdapter(list[UnitChange])


class History:
    """Each step is a day later than the one before."""

    def __init__(self, session: Session, actor: Actor, unit_id: UnitIds, seed: int) -> None:
        self.session, self.actor, self.random = session, actor, Random(seed)
        self.district = unit_id["camkhe"]
        self.first = local_today() - timedelta(days=STEPS)
        self.day, self.count = self.first, 0
        self.done: list[tuple[Reorganisation, Any]] = []
        self.people = self.members()
        self.outcomes: Counter[str] = Counter()

    # -- acts

    def step(self) -> None:
        kind = self.random.choice(
            ["merge", "merge", "join", "part", "split", "transfer", "codes", "admit", "revert"]
        )
        self.day += timedelta(days=1)
        self.count += 1
        getattr(self, kind)()

    def communes(self, number: int) -> list[int]:
        found = self.session.exec(
            select(Unit.id).where(
                col(Unit.level) == UnitLevel.commune, col(Unit.closed_on).is_(None)
            )
        ).all()
        return self.random.sample(sorted(found), min(number, len(found)))

    def branches(self, commune: int) -> list[int]:
        below = select(Unit.id).where(col(Unit.parent_id) == commune, col(Unit.closed_on).is_(None))
        return sorted(self.session.exec(below).all())

    def opening(self, key: str) -> dict[str, Any]:
        body = {"op": "open", "key": key, "level": "commune", "name": f"Xã {key} {self.count}"}
        return body | {"parent_id": self.district}

    def merge(self) -> None:
        into = self.random.choice(["new", None])
        units = self.communes(2)
        operation = {"op": "merge", "unit_ids": units, "into_id": into or units[0]}
        self.reorganise([*([self.opening("new")] if into else []), operation])

    def join(self) -> None:
        """Two branches become one, with all their people."""
        [commune] = self.communes(1)
        units = self.branches(commune)[:2]
        operation = {"op": "merge", "unit_ids": units, "into_id": units[-1]} if units else {}
        self.reorganise([operation] if len(units) == 2 else [])

    def part(self) -> None:
        """Some of a branch go on in another one."""
        [commune] = self.communes(1)
        source, target = (self.branches(commune) * 2)[:2] or (0, 0)
        people = self.session.exec(
            select(Membership.member_id)
            .where(col(Membership.branch_id) == source, col(Membership.valid_to).is_(None))
            .order_by(col(Membership.id))
            .limit(2)
        ).all()
        operation = {"op": "transfer", "from_id": source, "to_id": target, "member_ids": people}
        self.reorganise([operation] if people and source != target else [])

    def split(self) -> None:
        [unit] = self.communes(1)
        assigned = [
            {"unit_id": branch, "to_id": self.random.choice(["a", "b"])}
            for branch in self.branches(unit)
        ]
        operation = {"op": "split", "unit_id": unit, "into_ids": ["a", "b"], "assigned": assigned}
        self.reorganise([self.opening("a"), self.opening("b"), operation])

    def transfer(self) -> None:
        source, target = (self.communes(2) * 2)[:2]
        part = self.branches(source)[:2]
        operation = {"op": "transfer", "unit_ids": part, "from_id": source, "to_id": target}
        self.reorganise([operation] if part else [])

    def codes(self) -> None:
        units = self.communes(2)
        found = [self.session.get_one(Unit, unit).code for unit in units]
        self.reorganise(
            [
                {"op": "change_code", "unit_id": unit, "code": code or f"9{self.count:04}"}
                for unit, code in zip(units, reversed(found), strict=True)
            ]
        )

    def admit(self) -> None:
        branches = [branch for commune in self.communes(9) for branch in self.branches(commune)]
        admitted(self.session, self.actor, self.random.choice(branches))
        self.people += 1

    def reorganise(self, operations: list[dict[str, Any]]) -> None:
        before, now = self.tree(), utc_now()
        sent = _OPERATIONS.validate_python(operations)
        lock_tree(self.session)
        made = applying.prepare(self.session, self.actor, sent, self.day, None)
        self.outcomes["refused" if made.troubles else "done"] += 1
        if made.troubles or not made.done_by:
            return
        row = Reorganisation(
            unit_id=self.district,
            state=ReorganisationState.applied,
            effective_on=self.day,
            operations=reading.stored(sent),
            drafted_by=self.actor.account_id,
            created_at=now,
            updated_at=now,
        )
        applying.carry_out(self.session, row, made)
        self.done.append((row, before))

    def revert(self) -> None:
        """The last one, or one before it, on which something may depend."""
        if not self.done:
            return
        place = self.random.randrange(len(self.done))
        row, before = self.done[place]
        last = place == len(self.done) - 1
        with self.attempt() as refused:
            reverting.revert(self.session, self.actor, row)
        self.outcomes["kept" if refused else "reverted"] += 1
        if refused:
            assert refused[0] in ("reorganised_again", "opened_unit_used")
            return
        del self.done[place]
        if last:
            assert self.tree() == before

    @contextmanager
    def attempt(self) -> Iterator[list[str]]:
        refused: list[str] = []
        try:
            with self.session.begin_nested():
                yield refused
        except Problem as problem:
            refused.append(problem.code)
        self.session.expire_all()

    # -- what always holds

    def tree(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table_of(model).name: self.rows(model) for model in TREE}

    def rows(self, model: type[SQLModel]) -> list[tuple[Any, ...]]:
        left_out = ("revision", "updated_at")
        columns = [column for column in table_of(model).c if column.name not in left_out]
        return sorted(
            (tuple(row) for row in self.session.connection().execute(sa.select(*columns))), key=repr
        )

    def members(self) -> int:
        found = self.session.execute(sa.select(sa.func.count()).select_from(Member))
        return int(found.scalar_one())

    def check(self, days: Iterable[date]) -> None:
        assert self.members() == self.people
        units = {unit.id: unit for unit in self.session.exec(select(Unit)).all()}
        edges: dict[int, list[UnitEdge]] = defaultdict(list)
        for edge in self.session.exec(select(UnitEdge).order_by(col(UnitEdge.valid_from))):
            edges[edge.unit_id].append(edge)
        for day in days:
            self.check_day(day, units, edges)
        places = {unit.id: (unit.commune_id, unit.province_id) for unit in units.values()}
        for branch, commune, province in self.session.execute(
            sa.select(col(Member.branch_id), col(Member.commune_id), col(Member.province_id))
        ):
            assert (commune, province) == places[branch]
            assert units[commune].closed_on is None
            assert units[branch].closed_on is None
        lasting = sa.and_(col(Membership.valid_to).is_(None), col(Membership.annulled_at).is_(None))
        stands = col(Membership.branch_id) == col(Member.branch_id)
        where = sa.select(sa.func.count()).join_from(Membership, Member).where(lasting, stands)
        assert self.session.execute(where).scalar_one() == self.people

    def check_day(
        self, day: date, units: dict[int, Unit], edges: dict[int, list[UnitEdge]]
    ) -> None:
        """Each unit has one parent, which is open; the closure says the same; no code twice."""
        parents: dict[int, int] = {}
        for unit_id, rows in edges.items():
            valid = [e.parent_id for e in rows if holds(e, day)]
            is_open = holds_open(units[unit_id], day)
            assert len(valid) == is_open, (unit_id, day)
            if valid:
                parents[unit_id] = valid[0]
                assert holds_open(units[valid[0]], day)
        expected = set()
        for unit_id, unit in units.items():
            if holds_open(unit, day):
                above: int | None = unit_id
                depth = 0
                while above is not None:
                    expected.add((above, unit_id, depth))
                    above, depth = parents.get(above), depth + 1
        closure = self.session.exec(select(UnitClosure)).all()
        found = [(c.ancestor_id, c.descendant_id, c.depth) for c in closure if holds(c, day)]
        assert sorted(found) == sorted(expected)
        codes = self.session.exec(
            select(UnitIdentifier).where(col(UnitIdentifier.scheme) == IdentifierScheme.gso)
        ).all()
        held = Counter(each.value for each in codes if holds(each, day))
        assert set(held.values()) <= {1}


def holds(row: Any, day: date) -> bool:
    return bool(row.valid_from <= day and (row.valid_to is None or day <= row.valid_to))


def holds_open(unit: Unit, day: date) -> bool:
    return unit.opened_on <= day and (unit.closed_on is None or day <= unit.closed_on)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_every_invariant_is_kept(api: Api, database: Database, unit_id: UnitIds, seed: int) -> None:
    api.as_("camkhe")
    actor = acting(database, "camkhe")
    with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
        changes.attribute(session, changes.Origin(ChangeSource.job))
        history = History(session, actor, unit_id, seed)
        for _ in range(STEPS):
            history.step()
            session.expire_all()
            history.check([history.day - timedelta(days=1), history.day])
        days = (history.first + timedelta(days=number) for number in range(-1, STEPS + 2))
        history.check(days)
        assert history.outcomes["done"]
        session.rollback()
