"""What followers of the feed read of poverty."""

from app.models.poverty.poverty import Assessment, AssessmentRead, PovertyStatus, StatusRead
from app.services.households.news import of_household
from app.services.kernel.offers import News, NewsKind

_CLASS = {"class": "poverty_class"}
NEWS = News(
    kinds=(
        NewsKind(
            entity="assessment", schema=AssessmentRead, columns=_CLASS, **of_household(Assessment)
        ),
        NewsKind(
            entity="poverty_status",
            schema=StatusRead,
            columns=_CLASS,
            **of_household(PovertyStatus),
        ),
    ),
    untold={"poverty_edition": "published figures are read by their edition"},
)
