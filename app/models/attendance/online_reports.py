"""A report of participants, as Zoom, Meet or Teams give it."""

from app.models.attendance.attendance import CaptureVerdict
from app.models.base import (
    Output,
)


class ReportLine(CaptureVerdict):
    """`line` counts from the one below the header; `name` as the report has it."""

    line: int
    name: str


class OnlineReport(Output):
    """What became of a report of participants: how many of its lines, and each of them."""

    lines: int
    new: int
    already: int
    pending_identity: int
    refused: int
    items: list[ReportLine]
