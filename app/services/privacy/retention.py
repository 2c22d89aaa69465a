"""How long what is kept: the periods that the capabilities state, and what is due today."""

from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.clock import utc_now
from app.config import Settings
from app.db import Database
from app.models.privacy.rules import RetentionKind, RetentionList
from app.services.kernel.manifest import manifest
from app.services.kernel.retention import BY_KIND, Kept

_BATCH = 1_000


def periods(settings: Settings) -> RetentionList:
    """Every kind with the days that hold on this server."""
    return RetentionList(
        items=[
            RetentionKind(
                code=kept.code,
                vi=kept.vi,
                en=kept.en,
                days=_days(settings, kept),
                setting=kept.setting,
                reason_vi=kept.reason_vi,
                reason_en=kept.reason_en,
            )
            for kept in manifest().retention
        ]
    )


def _days(settings: Settings, kept: Kept) -> int | None:
    if kept.setting == BY_KIND:
        return settings.retention.get(kept.code, kept.days)
    if kept.setting is None:
        return kept.days
    named: int = getattr(settings, kept.setting.removeprefix("HOISO_").lower())
    return named


def forget_due(database: Database) -> int:
    """Delete what has been kept long enough, a batch a transaction; returns how many rows."""
    forgotten = 0
    for kept in manifest().retention:
        days = _days(database.settings, kept)
        if days is None or kept.column is None:
            continue
        table = SQLModel.metadata.tables[kept.code]
        old = table.c[kept.column] < utc_now() - timedelta(days=days)
        wanted = sa.select(table.c.id).where(old).limit(_BATCH)
        while True:
            with database.writing() as session:
                ids = list(session.execute(wanted).scalars())
                session.execute(sa.delete(table).where(table.c.id.in_(ids)))
            forgotten += len(ids)
            if len(ids) < _BATCH:
                break
    return forgotten
