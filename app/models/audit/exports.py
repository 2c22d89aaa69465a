"""What the log of exports shows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.models.base import Output, Page
from app.models.kernel.export_log import ExportFormat
from app.models.kernel.units import UnitRef


class ExportRead(Output):
    """A list that was taken as a file. `filters` hold no number somebody was searched by; `rows`
    and `finished_at` are null while it runs, and stay so when it was broken off."""

    id: UUID
    at: datetime
    account_id: UUID
    username: str
    unit: UnitRef
    path: str
    filters: dict[str, Any]
    fields: list[str]
    format: ExportFormat
    rows: int | None
    finished_at: datetime | None
    request_id: str


class ExportPage(Page):
    """The newest first."""

    items: list[ExportRead]
