"""The past of a test: what was entered long ago, so that the change log reaches days before today."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from app.clock import utc_now
from app.db import Database
from app.models.kernel.changes import Change
from app.models.members.members import Member
from tests.helpers.client import writing


def entered_long_ago(database: Database, *, days: int = 400) -> datetime:
    """Whatever the log has by now happened so many days ago."""
    then = utc_now() - timedelta(days=days)
    with writing(database) as session:
        session.execute(sa.update(Change).values(at=then))
        session.execute(sa.update(Member).values(created_at=then))
    return then
