"""What the tests of transfers share."""

from datetime import date, timedelta
from uuid import UUID

from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Change
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from tests.helpers.client import Api, writing

TACIT_DAYS = 15


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


def spells(database: Database, member_id: str) -> list[tuple[int, date, date | None]]:
    """Her spells that count, in order: branch, first day, last day."""
    with writing(database) as session:
        rows = session.exec(
            select(Membership)
            .where(col(Membership.member_id) == UUID(member_id))
            .where(col(Membership.annulled_at).is_(None))
            .order_by(col(Membership.id))
        ).all()
    return [(row.branch_id, row.valid_from, row.valid_to) for row in rows]


def member_row(database: Database, member_id: str) -> Member:
    with writing(database) as session:
        return session.get_one(Member, UUID(member_id))


def transfer_row(database: Database, transfer_id: str) -> Transfer:
    with writing(database) as session:
        return session.get_one(Transfer, UUID(transfer_id))


def stored(database: Database) -> tuple[int, ...]:
    """How much is written: the same before and after whatever is refused."""
    with writing(database) as session:
        return tuple(
            session.exec(select(func.count()).select_from(table)).one()
            for table in (Transfer, Membership, Change)
        )


def people(api: Api, unit_id: int) -> int:
    count: int = api.get(f"/v1/units/{unit_id}").json()["member_count"]
    return count
