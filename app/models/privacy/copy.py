"""A person's copy of all that is recorded about her."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.models.base import Output, Parameters
from app.models.kernel.access_log import ReadHow
from app.models.kernel.sensitive import About, StoredRows
from app.models.privacy.rules import Purpose


class PersonalDataFormat(StrEnum):
    json = "json"
    html = "html"


class PersonalDataQuery(Parameters):
    format: PersonalDataFormat | None = Field(
        default=None,
        description="As `Accept` says by default.",
    )


class Section(Output):
    """One table: its rows as they are stored, opened where they are sealed."""

    table: str
    vi: str
    en: str
    rows: Annotated[list[dict[str, Any]], StoredRows("table")]


class NamedUnit(Output):
    id: int
    name: str


class NamedAccount(Output):
    """An account that wrote or read data of the person."""

    id: UUID
    name: str


class PersonalData(Output):
    """Everything that is held about one person.

    `units` and `accounts` name the ids in the rows; `changes` is the section from the change log.
    """

    about: ClassVar = About("member", ("member_id",), how=ReadHow.export)

    member_id: UUID
    made_at: AwareDatetime
    purposes: list[Purpose]
    sections: list[Section]
    units: list[NamedUnit]
    accounts: list[NamedAccount]
