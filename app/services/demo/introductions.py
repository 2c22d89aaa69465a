"""Whom the demo introduces."""

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit, UnitLevel
from app.services.demo import reforms
from app.services.demo.plan import INTRODUCED, DemoAccount


def introduced(session: Session) -> list[DemoAccount]:
    """The accounts to begin with, each with its unit as it is called in this database."""
    commune, shown = aliased(Unit), [*INTRODUCED, *reforms.founded_accounts()]
    rows = session.execute(
        sa.select(col(Account.username), col(Unit.level), col(Unit.name), col(commune.name))
        .join(Unit, col(Unit.id) == col(Account.unit_id))
        .outerjoin(commune, col(commune.id) == col(Unit.commune_id))
        .where(col(Account.username).in_([account.username for account in shown]))
    )
    # Every commune has a "Chi hội khu 1".
    units = {
        username: f"{name}, {of}" if level is UnitLevel.branch else name
        for username, level, name, of in rows
    }
    return [
        replace(account, unit=units[account.username])
        for account in shown
        if account.username in units
    ]
