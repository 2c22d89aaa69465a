"""What pledges offer to readers of the manifest: work that waits, figures, rows and operations of phones,
news."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.offers import Day, FigureRows, News, NewsKind, SyncKind, Work
from app.services.kernel.operation_kinds import (
    OperationDone,
    OperationKind,
    SentOperation,
    without_parent,
)
from app.services.members.news import ABOUT_HER
from tests.helpers.trial.models.trial.pledges import Pledge, PledgeCreate, PledgeNote, PledgeRead
from tests.helpers.trial.services.trial import pledges

_COLUMNS = [getattr(Pledge, name) for name in PledgeRead.model_fields]


def _waiting(_: Db, actor: Actor) -> AnySelect:
    return sa.select(
        col(Pledge.id),
        col(Pledge.valid_from).label("since"),
        col(Pledge.branch_id).label("unit_id"),
    ).where(visible(Pledge, actor, Right.members_religion), col(Pledge.valid_to).is_(None))


def _open(_: Day, last: Day) -> AnySelect:
    return sa.select(
        col(Pledge.branch_id).label("unit_id"),
        col(Pledge.id).label("key"),
        col(Pledge.id).label("row_id"),
        col(Pledge.valid_from).label("day"),
        col(Pledge.giver).label("title"),
    ).where(
        col(Pledge.valid_from) <= last,
        sa.or_(col(Pledge.valid_to).is_(None), col(Pledge.valid_to) > last),
    )


def _of_ids(db: Db, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    rows = db.execute(sa.select(*_COLUMNS).where(col(Pledge.id).in_(ids)))
    return [dict(row._mapping) for row in rows]


def _noted(sent: SentOperation[PledgeNote]) -> OperationDone:
    pledges.create(
        sent.session, sent.actor, sent.body.member_id, without_parent(PledgeCreate, sent.body)
    )
    return OperationDone()


WORK = Work(
    kind="pledge", right=Right.members_religion, waiting=_waiting, link="/v1/pledges/{id}/end"
)
FIGURES = FigureRows(name="pledges", entity="pledge", right=Right.members_read, select=_open)
SYNC = SyncKind(
    name="pledge",
    entity="pledge",
    right=Right.members_religion,
    schema=PledgeRead,
    model=Pledge,
    place=Pledge,
    joined=lambda rows: rows.join(Member, col(Member.id) == col(Pledge.member_id)),
    rows=_of_ids,
    kept=sa.and_(col(Member.erased_on).is_(None), ~col(Member.restricted)),
    parents={"member": "member_id"},
)
NEWS = News(
    kinds=(
        NewsKind(
            entity="pledge",
            schema=PledgeRead,
            place=Pledge,
            joined=lambda rows: rows.join(Member, col(Member.id) == col(Pledge.member_id)),
            **ABOUT_HER,
        ),
    ),
)
OPERATION = OperationKind(
    name="pledge.add",
    operation="create_pledge",
    right=Right.members_religion,
    entity="member",
    values_of="pledge",
    body=PledgeNote,
    apply=_noted,
    subject=lambda _, body: body.member_id,
    states_fact=True,
)
