"""In which units a figure or a list counts what happened in branches."""

from datetime import date
from typing import Annotated

from pydantic import Field

from app.models.base import Day, ListQuery, Parameters, UnitId

Hierarchy = Annotated[str, Field(max_length=10)]


class InHierarchy(Parameters):
    """Of figures: what happened in a branch counts in the units above it, in which tree."""

    hierarchy: Hierarchy | None = Field(
        default=None,
        description=(
            "The units as they were (`as_was`, by default), as they are today (`as_is`), or as they"
            " were on a day (`2025-06-30`). Today, and on a day, a closed unit counts in the one that"
            " took it over whole; as it was, and where it was divided, where it stood last."
        ),
    )


class ListInHierarchy(Parameters):
    """Of lists: the units of which tree a row counts in, as the figures count it."""

    hierarchy: Hierarchy | None = Field(
        default=None,
        description=(
            "By default what stands in the unit today, whatever the period. With it, what counts in"
            " the unit: as it was on the last day asked about (`as_was`), as it is today (`as_is`),"
            " or as it was on a day (`2025-06-30`). Today, and on a day, a closed unit counts in the"
            " one that took it over whole. Nobody sees more rows with it than without."
        ),
    )

    @property
    def last_day(self) -> date | None:
        """The day of the units as they were; today by default."""
        return None


class PeriodQuery(ListQuery, ListInHierarchy):
    """A list of everything in a unit, over a period: both days belong to it."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    from_: Day | None = Field(default=None, alias="from", description="The first day.")
    to: Day | None = Field(default=None, description="The last day.")

    @property
    def last_day(self) -> date | None:
        return self.to
