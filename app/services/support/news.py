"""What followers of the feed read of support."""

from sqlmodel import col

from app.models.kernel.units import Unit
from app.models.support.loans import LoanFigure, LoanFigureRead
from app.models.support.support import Support, SupportRead
from app.models.support.visits import HouseholdVisit, VisitRead
from app.services.households.news import of_household
from app.services.kernel.offers import News, NewsKind

_OF_A_PLAN = "the steps of a plan are read with it"
NEWS = News(
    kinds=(
        NewsKind(entity="support", schema=SupportRead, masked_at=Support, **of_household(Support)),
        NewsKind(entity="household_visit", schema=VisitRead, **of_household(HouseholdVisit)),
        NewsKind(
            entity="loan_figure",
            schema=LoanFigureRead,
            place=Unit,
            joined=lambda rows: rows.join(Unit, col(Unit.id) == col(LoanFigure.unit_id)),
        ),
    ),
    untold=dict.fromkeys(("escape_path", "escape_step", "escape_check"), _OF_A_PLAN),
)
