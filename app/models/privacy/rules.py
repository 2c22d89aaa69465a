"""The rules of the law and of the union on personal data: purposes, deadlines, retention."""

from datetime import date
from enum import StrEnum

from app.models.base import Output


class Purpose(Output):
    """What data is used for.

    `consent`: only with consent; `text`: the version of the text shown.
    """

    code: str
    vi: str
    en: str
    description_vi: str
    description_en: str
    legal_basis: str
    consent: bool
    text: str


class PurposeList(Output):
    source: str
    items: list[Purpose]


class RequestKind(StrEnum):
    """The rights of the person: see it, correct it, take a consent back, restrict, object, erase."""

    access = "access"
    rectify = "rectify"
    withdraw = "withdraw"
    restrict = "restrict"
    object = "object"
    erase = "erase"


class Deadlines(Output):
    """One version of the deadlines: `days` by kind of request, of which all but
    `answer_working_days` are days of the calendar, counted from the day of receipt."""

    version: str
    from_: date
    answer_working_days: int
    days: dict[RequestKind, int]
    days_with_processors: dict[RequestKind, int]
    extension_days: int
    representative_below_age: int


class Holidays(Output):
    """Public holidays of a year; `confirmed`: as announced, with the days in lieu."""

    year: int
    confirmed: bool
    days: list[date]


class PrivacyRules(Output):
    deadlines_source: str
    deadlines: list[Deadlines]
    holidays_source: str
    holidays: list[Holidays]


class RetentionKind(Output):
    """How long rows of one kind are kept. `setting` is what changes it; null: fixed.

    `days` null: for good, for the reason given.
    """

    code: str
    vi: str
    en: str
    days: int | None
    setting: str | None
    reason_vi: str
    reason_en: str


class RetentionList(Output):
    items: list[RetentionKind]
