"""Branches (chi hội): the units where members are, with their head and last activity."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.cadres.appointments import Appointment, Post
from app.models.kernel.access import Grant, Right, Role
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change, Feed
from app.models.kernel.units import BranchHead, BranchQuery, BranchRead, Unit, UnitLevel
from app.models.members.members import Member
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.keyset import Pages, pages
from app.services.units.reading import BY_NAME, member_counts
from app.services.units.units import valid_on
from app.text import name_key


def list_branches(db: Db, actor: Actor, query: BranchQuery) -> Pages:
    """Open branches in scope by name; heads and counts in one query each for the whole page."""
    require_somewhere(db, actor, Right.members_read)
    commune = aliased(Unit)
    statement: AnySelect = (
        sa.select(
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
            col(Unit.sort_key),
            col(Unit.code),
            col(Unit.commune_id),
            col(commune.name).label("commune_name"),
            col(Unit.opened_on),
            col(Unit.closed_on),
            col(Unit.revision),
        )
        .join(commune, col(commune.id) == col(Unit.commune_id), isouter=True)
        .where(
            col(Unit.level) == UnitLevel.branch,
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= local_today()),
            visible(Unit, actor, Right.members_read),
        )
    )
    if query.commune is not None:
        statement = statement.where(col(Unit.commune_id) == query.commune)
    for word in name_key(query.q or "").split():
        statement = statement.where(col(Unit.name_key).contains(word, autoescape=True))
    return pages(statement, BY_NAME, _with_figures)


def _with_figures(db: Db, rows: Sequence[Any]) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    counts = member_counts(db, rows)
    leaders, activity = heads(db, ids), _last_activity(db, ids)
    shown = BranchRead.model_fields.keys()
    items = []
    for row in rows:
        found = {
            **row._mapping,
            "member_count": counts.get(row.id, 0),
            "head": leaders.get(row.id),
            "last_activity_at": activity.get(row.id),
        }
        items.append({name: found[name] for name in shown})
    return items


def heads(db: Db, branch_ids: list[int]) -> dict[int, dict[str, str | None]]:
    """Who leads each of these branches, as BranchHead."""
    return _heads_by_role(db, branch_ids) | _heads_by_post(db, branch_ids)


def _heads_by_post(db: Db, branch_ids: list[int]) -> dict[int, dict[str, str | None]]:
    rows = db.execute(
        sa.select(col(Appointment.unit_id), col(Member.id), col(Member.full_name), col(Account.id))
        .join(Member, col(Member.id) == col(Appointment.member_id))
        .join(Account, col(Account.member_id) == col(Member.id), isouter=True)
        .where(
            col(Appointment.unit_id).in_(branch_ids),
            col(Appointment.post) == Post.branch_head,
            valid_on(Appointment, local_today()),
        )
    )
    return {
        unit_id: BranchHead(
            account_id=None if account_id is None else str(account_id),
            member_id=str(member_id),
            name=name,
        ).model_dump()
        for unit_id, member_id, name, account_id in rows
    }


def _heads_by_role(db: Db, branch_ids: list[int]) -> dict[int, dict[str, str | None]]:
    today = local_today()
    rows = db.execute(
        sa.select(col(Grant.unit_id), col(Account.id), col(Account.display_name))
        .join(Account, col(Account.id) == col(Grant.account_id))
        .where(
            col(Grant.unit_id).in_(branch_ids),
            col(Grant.role) == Role.branch_head,
            col(Grant.valid_from) <= today,
            sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= today),
            col(Account.status) != AccountStatus.disabled,
        )
        .order_by(col(Grant.valid_from).desc(), col(Grant.id).desc())
    )
    return {
        unit_id: BranchHead(account_id=str(account_id), member_id=None, name=name).model_dump()
        for unit_id, account_id, name in rows
    }


def _last_activity(db: Db, branch_ids: list[int]) -> dict[int, datetime]:
    """When anything in the branch last changed: the end of its stretch of the feed."""
    last = (
        sa.select(col(Feed.branch_id), sa.func.max(col(Feed.seq)).label("seq"))
        .where(col(Feed.branch_id).in_(branch_ids))
        .group_by(col(Feed.branch_id))
        .subquery()
    )
    rows = db.execute(
        sa.select(last.c.branch_id, col(Change.at))
        .join(Feed, col(Feed.seq) == last.c.seq)
        .join(Change, col(Change.id) == col(Feed.change_id))
    )
    return {int(branch_id): at for branch_id, at in rows}
