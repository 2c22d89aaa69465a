"""How long what is kept: the periods of `app/data/privacy/retention.yaml`, and what is due today."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.clock import utc_now
from app.config import Settings
from app.db import Database
from app.models.privacy.rules import RetentionKind, RetentionList
from app.services.privacy import rules

_BATCH = 1_000
_BY_KIND = "HOISO_RETENTION"
_KINDS: list[dict[str, Any]] = rules.read("retention")


def periods(settings: Settings) -> RetentionList:
    """Every kind with the days that hold on this server."""
    return RetentionList(
        items=[
            RetentionKind.model_validate({**kind, "days": _days(settings, kind)}) for kind in _KINDS
        ]
    )


def _days(settings: Settings, kind: dict[str, Any]) -> int | None:
    days: int | None = kind["days"]
    if kind["setting"] == _BY_KIND:
        return settings.retention.get(kind["code"], days)
    if kind["setting"] is None:
        return days
    named: int = getattr(settings, kind["setting"].removeprefix("HOISO_").lower())
    return named


def forget_due(database: Database) -> int:
    """Delete what has been kept long enough, a batch a transaction; returns how many rows."""
    forgotten = 0
    for kind in _KINDS:
        days = _days(database.settings, kind)
        if days is None or "column" not in kind:
            continue
        table = SQLModel.metadata.tables[kind["code"]]
        old = table.c[kind["column"]] < utc_now() - timedelta(days=days)
        wanted = sa.select(table.c.id).where(old).limit(_BATCH)
        while True:
            with database.writing() as session:
                ids = list(session.execute(wanted).scalars())
                session.execute(sa.delete(table).where(table.c.id.in_(ids)))
            forgotten += len(ids)
            if len(ids) < _BATCH:
                break
    return forgotten
