"""What followers of the feed read of groups, which are units, and of who takes part."""

from app.models.groups.groups import Participation, ParticipationState
from app.services.kernel.offers import News, NewsKind
from app.services.members.news import of_member

NEWS = News(
    kinds=(
        NewsKind(entity="participation", schema=ParticipationState, **of_member(Participation)),
    ),
)
