"""What followers of the feed read of units."""

from app.models.kernel.units import Unit, UnitRead
from app.services.kernel.offers import News, NewsKind

NEWS = News(kinds=(NewsKind(entity="unit", schema=UnitRead, place=Unit),))
