"""The access log as it is read."""

from datetime import date, datetime
from uuid import UUID

from app.models.base import Output, Page
from app.models.kernel.access_log import ReadHow
from app.models.kernel.accounts import AccountKind
from app.models.kernel.units import UnitRef


class AccessLogEntry(Output):
    """That somebody was shown sensitive `fields` of the member on a day: in her record (`detail`),
    in a list or search (`list`), or in a file (`export`). `times`: so often that day. `purpose`: of a
    program, what its officers say it is for."""

    day: date
    last_at: datetime
    how: ReadHow
    times: int
    fields: list[str]
    account_id: UUID
    reader: str
    kind: AccountKind
    purpose: str | None
    unit: UnitRef


class AccessLogPage(Page):
    """The last day first."""

    items: list[AccessLogEntry]
