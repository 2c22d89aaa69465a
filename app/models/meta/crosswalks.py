"""Code lists on a day, and what the codes of one edition became in another."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from app.models.base import Day, Filed, Input, ListQuery, Output, Page


class CodeListQuery(Filed):
    """As files: a row for each code of each list."""

    as_of: Day | None = Field(
        default=None, description="The editions of that day; by default those in use here."
    )


class CodeRow(Output):
    """A code in a file of code lists."""

    list_name: str
    version: str
    valid_from: date | None
    valid_to: date | None
    source: str
    code: str
    vi: str
    en: str


class CrosswalkList(StrEnum):
    """Lists of which there is more than one edition. Units: the codes of the government, by level."""

    province = "province"
    district = "district"
    commune = "commune"
    branch = "branch"
    ethnicity = "ethnicity"
    poverty_class = "poverty_class"
    poverty_indicator = "poverty_indicator"


class CodeRelation(StrEnum):
    """What became of a code. `same`: code and meaning. `recoded`: the meaning has another code.
    `renamed`: the code has another name. `redefined`: the same code, by another definition. `merged`:
    several codes have become this one; `split`: it has become several. `ended`: nothing followed.
    `new`: nothing was before."""

    same = "same"
    recoded = "recoded"
    renamed = "renamed"
    redefined = "redefined"
    merged = "merged"
    split = "split"  # type: ignore[assignment]  # hides str.split, which no one calls on a relation
    ended = "ended"
    new = "new"


class CrosswalkQuery(ListQuery):
    """From one edition to another; of units, from one day to another."""

    from_: Annotated[str, Field(max_length=20)] | None = Field(
        alias="from",
        default=None,
        description="The edition to go from (1979); of units the day (2024-12-31), which is required."
        " By default the first edition there is.",
    )
    to: Annotated[str, Field(max_length=20)] | None = Field(
        default=None,
        description="The edition to go to; of units the day. By default the last one, and today.",
    )


class CrosswalkRow(Output):
    """A code of the earlier edition and what it became. `from_id` and `to_id`: the ids of units.
    `effective_on`: the day of the last step between the two, and `source` the documents of them all.
    `confirmed`: a document states it; what is not is to be compared with the documents first."""

    relation: CodeRelation
    from_code: str | None
    from_name: str | None
    from_id: int | None
    to_code: str | None
    to_name: str | None
    to_id: int | None
    effective_on: date | None
    source: str | None
    confirmed: bool


class CodeEdition(Output):
    """An edition of a list: of units a day, and null for who issued it."""

    version: str
    valid_from: date | None
    valid_to: date | None
    source: str | None


class CrosswalkPage(Page):
    """Codes of units are those of the units that you may read."""

    earlier: CodeEdition
    later: CodeEdition
    items: list[CrosswalkRow]


# -- files


class EarlierCode(Input):
    """A code of an edition before ours. `became`: the code of ours."""

    code: str
    name: str
    became: str
    confirmed: bool = True


class EarlierEdition(Input):
    """A file of app/data/code_lists/earlier."""

    of: str
    version: str
    valid_from: date
    valid_to: date | None
    source: str
    items: list[EarlierCode]
