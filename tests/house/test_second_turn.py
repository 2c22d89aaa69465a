"""tests/helpers/second_turn.py leaves nothing out that only one test asks."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

from tests.helpers import second_turn
from tests.helpers.second_turn import Noted, needed


def noted(cost: int, *asked: int, alone: bool = False) -> Noted:
    return Noted(frozenset(asked), cost, alone)


def test_the_costliest_that_others_cover_is_left_out() -> None:
    of = {"dear": noted(9, 1, 2), "one": noted(2, 1), "two": noted(2, 2)}
    assert needed(of, of) == {"one", "two"}


def test_who_alone_asks_something_stays() -> None:
    of = {"dear": noted(9, 1, 2, 3), "one": noted(2, 1), "two": noted(1, 2)}
    assert needed(of, of) == {"dear"}


def test_nothing_noted_or_processes_stay() -> None:
    of = {"one": noted(1, 1), "starts": noted(5, 1, alone=True)}
    assert needed(["one", "starts", "new"], of) == {"starts", "new"}


def test_what_only_tests_that_do_not_run_ask_is_not_covered_by_them() -> None:
    of = {"here": noted(5, 1), "elsewhere": noted(1, 1)}
    assert needed(["here"], of) == {"here"}


def test_who_asks_nothing_is_left_out() -> None:
    assert needed(["idle"], {"idle": noted(0)}) == set()


def test_a_lock_makes_another_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SQLiteCompiler, "for_update_clause", second_turn.locks_as_comment)
    unit = sa.Table("unit", sa.MetaData(), sa.Column("id", sa.Integer))
    plain = sa.select(unit.c.id)
    locked = sa.select(plain.with_for_update(skip_locked=True).cte().c.id)
    dialect = sqlite.dialect()
    assert "/* FOR UPDATE SKIP LOCKED */" in str(locked.compile(dialect=dialect))
    assert "/*" not in str(plain.compile(dialect=dialect))


def test_days_and_ids_are_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[type, ...]] = []

    def types_of(given: Any) -> tuple[type, ...]:
        seen.append(found := plain(given))
        return found

    plain = second_turn.types_of
    monkeypatch.setattr(second_turn, "types_of", types_of)
    engine = sa.create_engine("sqlite://")
    sa.event.listen(engine, "after_cursor_execute", second_turn._sent)
    ids = sa.literal(uuid4(), sa.Uuid).in_([uuid4(), uuid4()])
    with engine.connect() as db:
        db.execute(sa.select(sa.literal(date(2026, 3, 1), sa.Date), ids))
        db.exec_driver_sql("SELECT ?, ?", ("a", 1))
    # Twice where the suite takes notes itself.
    assert [*dict.fromkeys(seen)] == [(date, type(uuid4())), (str, int)]
