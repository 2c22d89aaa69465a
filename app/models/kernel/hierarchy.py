"""In which units a figure or a list counts what happened in branches."""

from typing import Annotated

from pydantic import Field

from app.models.base import Parameters

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
