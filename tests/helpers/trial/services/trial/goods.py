"""Lists of goods: a kind of list that is imported. A row names goods, which may be known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from sqlmodel import Session

from app.db import Database
from app.models.imports.imports import RowOutcome
from app.models.kernel.access import Right
from app.problem_texts import FieldCode
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import (
    Done,
    Earlier,
    Frame,
    Given,
    Json,
    KindOfList,
    RowPlan,
    RowsDue,
)
from tests.helpers.trial.models.trial.pledges import PledgeGoods


def plan(
    _: Db, _actor: Actor, frame: Frame, rows: Sequence[Given], _earlier: Earlier
) -> list[RowPlan]:
    """Every row adds goods."""
    return [
        RowPlan(RowOutcome.created, frame.unit.id, problems=row.problems, writes=row.values)
        for row in rows
    ]


def write(session: Session, _: Actor, rows: Sequence[RowsDue]) -> Mapping[int, Json]:
    for row in rows:
        session.merge(PledgeGoods(name=row.writes["name"]))
    session.flush()
    return {}


def finish(_: Database, _ids: Sequence[UUID]) -> None:
    """Nothing is left to be done."""


def hold(_: Session, _ids: Sequence[UUID]) -> None:
    """Nobody else writes goods."""


def obstacles(_: Db, rows: Sequence[Done]) -> Mapping[int, FieldCode]:
    """Goods may have been pledged since: they stay."""
    return {row.number: "record_in_use" for row in rows}


def take_back(_: Session, _actor: Actor, _rows: Sequence[Done]) -> None:
    """Never asked: each row has an obstacle."""


GOODS = KindOfList(
    "goods",
    "pledge",
    Right.members_religion,
    {},
    plan,
    write,
    finish,
    hold,
    obstacles,
    take_back,
    folder=Path(__file__).parents[2] / "data",
)
