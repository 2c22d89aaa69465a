"""The rule in SQL (`visible`) and in Python (`covers`) is one rule, whatever the grants."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel, col, select

from app.db import Database
from app.models.kernel.access import ROLE_RIGHTS, Right, Role
from app.models.kernel.accounts import Account, AccountKind
from app.models.kernel.changes import Feed
from app.models.kernel.units import Unit, UnitClosure, UnitLevel
from app.models.members.members import Member
from app.services.kernel import sequencer
from app.services.kernel.access import Actor, Db, HeldGrant, visible
from app.services.kernel.actors import grants_of
from tests.conftest import make_settings
from tests.helpers.databases import Clones
from tests.helpers.soak import longer

MODELS: list[type[SQLModel]] = [Unit, Member, Feed]


@pytest.fixture(scope="module")
def world(clones: Clones) -> Iterator[Database]:
    """The demo, with the two levels that have no column of their own: a centre and a group."""
    with clones.clone() as url:
        database = Database(make_settings(url))
        with database.writing() as session:
            branch = session.exec(select(Unit).where(col(Unit.level) == UnitLevel.branch)).first()
            assert branch is not None
            group = branch.model_dump(exclude={"id"}) | {
                "level": UnitLevel.group,
                "parent_id": branch.id,
                "name": "Tổ 1",
            }
            nowhere = {
                f"{level}_id": None for level in ("province", "district", "commune", "branch")
            }
            centre = (
                group
                | nowhere
                | {
                    "level": UnitLevel.central,
                    "parent_id": None,
                    "name": "Trung ương Hội",
                }
            )
            session.execute(sa.insert(Unit), [group, centre])
        sequencer.settle(database)
        yield database
        database.close()


def actor(*grants: HeldGrant) -> Actor:
    return Actor(
        account_id=uuid4(),
        kind=AccountKind.person,
        username="x",
        session_id=uuid4(),
        device=None,
        member_id=None,
        must_change_password=False,
        grants=grants,
    )


def keys(model: type[SQLModel], rows: Iterable[object]) -> set[object]:
    [key] = sa.inspect(model).primary_key
    return {getattr(row, key.name) for row in rows}


def seen_by_sql(db: Db, who: Actor, model: type[SQLModel], right: Right) -> set[object]:
    [key] = sa.inspect(model).primary_key
    return set(db.execute(sa.select(key).where(visible(model, who, right))).scalars())


class TestOneRule:
    def test_for_every_account_right_and_row_of_the_demo(self, world: Database) -> None:
        with world.reading() as db:
            accounts = db.execute(sa.select(col(Account.id), col(Account.username))).all()
            rows = {model: db.execute(sa.select(model)).all() for model in MODELS}
            assert all(rows.values())
            for account_id, username in accounts:
                who = actor(*grants_of(db, account_id))
                for right in Right:
                    for model in MODELS:
                        by_python = keys(
                            model, [row for row in rows[model] if who.covers(right, row)]
                        )
                        by_sql = seen_by_sql(db, who, model, right)
                        assert by_sql == by_python, (username, right, model)
                every = {str(right): right for right in Right}
                for row in rows[Member][::50]:
                    hidden = {right for right in every.values() if not who.covers(right, row)}
                    assert set(who.hidden(every, row)) == {*map(str, hidden)}, username

    def test_an_officer_sees_all_of_her_subtree_and_nothing_else(self, world: Database) -> None:
        with world.reading() as db:
            accounts = db.execute(
                sa.select(col(Account.id), col(Account.username), col(Account.unit_id)).where(
                    col(Account.username).in_(["phutho", "camkhe", "phuongvi", "phuongvi-1"])
                )
            ).all()
            for account_id, username, unit_id in accounts:
                below = sa.select(col(UnitClosure.descendant_id)).where(
                    col(UnitClosure.ancestor_id) == unit_id
                )
                who = actor(*grants_of(db, account_id))
                members = sa.select(col(Member.id)).where(col(Member.branch_id).in_(below))
                expected = set(db.execute(members).scalars())
                assert seen_by_sql(db, who, Member, Right.members_read) == expected, username
                # And each of these members' changes.
                told = sa.select(col(Feed.seq)).where(
                    col(Feed.entity) == "member",
                    col(Feed.entity_id).in_([str(each) for each in expected]),
                )
                changed = set(db.execute(told).scalars())
                assert len(changed) >= len(expected)
                seen = seen_by_sql(db, who, Feed, Right.changes_read)
                assert changed <= seen, username

    def test_what_was_merged_in_is_as_if_it_were_held(self, world: Database) -> None:
        """In SQL and in Python, of each level; and who holds both holds no row twice."""
        with world.reading() as db:
            units = db.execute(sa.select(Unit).order_by(col(Unit.id))).all()
            of_level = {
                level: [unit for unit in units if unit.level is level]
                for level in (UnitLevel.commune, UnitLevel.branch)
            }
            for one, other in (found[:2] for found in of_level.values()):
                whole = replace(held(db, one, Role.commune_officer), former=(other.id,))
                both = (whole, held(db, other, Role.commune_officer))
                right = Right.members_read
                assert actor(*both).reach(right) == (whole.reach,)
                parts = [actor(held(db, unit, Role.commune_officer)) for unit in (one, other)]
                for model in MODELS:
                    rows = db.execute(sa.select(model)).all()
                    seen = seen_by_sql(db, actor(whole), model, right)
                    expected = set.union(*(seen_by_sql(db, each, model, right) for each in parts))
                    assert seen == expected, model
                    covered = [row for row in rows if actor(whole).covers(right, row)]
                    assert keys(model, covered) == expected, model

    @settings(
        max_examples=longer(60),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_for_any_grants_at_any_levels(self, world: Database, data: st.DataObject) -> None:
        with world.reading() as db:
            units = db.execute(sa.select(Unit).order_by(col(Unit.id))).all()
            chosen = data.draw(
                st.lists(st.tuples(st.sampled_from(units), st.sampled_from(Role)), max_size=4)
            )
            who = actor(*(held(db, unit, role) for unit, role in chosen))
            right = data.draw(st.sampled_from(Right))
            # No unit of the reach lies within another: a list would show its rows twice.
            reach = who.reach(right)
            for unit in units:
                if unit.id in {each.unit_id for each in reach}:
                    outer = [each for each in reach if each.unit_id != unit.id]
                    assert not any(each.contains(unit) for each in outer)
            for unit, role in chosen:
                own = right in ROLE_RIGHTS[role] and unit.level is not UnitLevel.group
                assert not own or who.covers(right, unit)
            for model in MODELS:
                rows = db.execute(sa.select(model)).all()
                by_python = keys(model, [row for row in rows if who.covers(right, row)])
                assert seen_by_sql(db, who, model, right) == by_python

    @settings(
        max_examples=longer(40),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_what_ended_with_its_unit_counts_its_days_and_sees_nothing(
        self, world: Database, data: st.DataObject
    ) -> None:
        with world.reading() as db:
            units = db.execute(sa.select(Unit).order_by(col(Unit.id))).all()
            some = st.lists(st.tuples(st.sampled_from(units), st.sampled_from(Role)), max_size=3)
            now = [held(db, unit, role) for unit, role in data.draw(some)]
            last = date(2025, 6, 30)
            past = [replace(held(db, *each), valid_to=last) for each in data.draw(some)]
            who, without = replace(actor(*now), past=tuple(past)), actor(*now)
            right = data.draw(st.sampled_from(Right))
            for model in MODELS:
                rows = db.execute(sa.select(model)).all()
                assert seen_by_sql(db, who, model, right) == seen_by_sql(db, without, model, right)
                assert not any(who.covers(right, r) != without.covers(right, r) for r in rows)
            of_then = actor(*past)
            for unit in units:
                held_now, held_then = without.covers(right, unit), of_then.covers(right, unit)
                assert who.counts(right, unit, last) is (held_now or held_then)
                assert who.counts(right, unit, last + timedelta(days=1)) is held_now
            assert who.rights == without.rights

    def test_no_grant_sees_nothing(self, world: Database) -> None:
        with world.reading() as db:
            for right in Right:
                for model in MODELS:
                    assert seen_by_sql(db, actor(), model, right) == set()


def held(db: Db, unit: sa.Row[Unit], role: Role) -> HeldGrant:
    communes: tuple[int, ...] = ()
    if unit.level is UnitLevel.district:
        under = sa.select(col(Unit.id)).where(
            col(Unit.district_id) == unit.id, col(Unit.level) == UnitLevel.commune
        )
        communes = tuple(db.execute(under).scalars())
    return HeldGrant(
        id=uuid4(),
        role=role,
        valid_from=date(2020, 1, 1),
        valid_to=None,
        unit_id=unit.id,
        level=unit.level,
        name=unit.name,
        province_id=unit.province_id,
        district_id=unit.district_id,
        commune_id=unit.commune_id,
        branch_id=unit.branch_id,
        communes=communes,
    )
