"""Pictures of figures, as clients ask for them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field as Constraint

from app.models.base import UnitId
from app.models.figures.figures import PERIOD, Period
from app.models.kernel.hierarchy import InHierarchy


class PictureForm(StrEnum):
    """`trend`: month by month; `children`: the units directly below, the largest first; `bands`: the
    figures that divide this one, as ages do; `flow`: what came and went between two days."""

    trend = "trend"
    children = "children"
    bands = "bands"
    flow = "flow"


class FigurePictureQuery(InHierarchy):
    unit: UnitId = Constraint(description="The unit the figure is of.")
    period: Period | None = Constraint(default=None, description=PERIOD)
    form: PictureForm = Constraint(
        default=PictureForm.trend, description="What of the figure is drawn, and as what."
    )
    width: Annotated[int, Constraint(ge=320, le=1600)] = Constraint(
        default=720, description="In pixels. The letters are of one size, whatever the width."
    )
