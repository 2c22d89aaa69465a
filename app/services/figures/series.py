"""What is stored together: figures of the same rows, over periods of the same length."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from app.clock import local_today
from app.models.figures.definitions import FigureKind
from app.services.figures.definitions import Figure
from app.services.figures.periods import Days
from app.services.kernel.offers import FigureRows

_DAY = timedelta(days=1)
# Of what counts keys once months do not add up: quarters, halves of a year and years are stored too.
_LENGTHS = (1, 3, 6, 12)


@dataclass(frozen=True, slots=True)
class Series:
    """`months`: so long are the periods in which keys are counted once; None: what adds up by month."""

    figures: tuple[Figure, ...]
    months: int | None = None

    @property
    def rows_name(self) -> str:
        return self.figures[0].rows_name

    @property
    def name(self) -> str:
        return self.rows_name if self.months is None else f"{self.rows_name}/{self.months}"

    @property
    def keys(self) -> list[str]:
        """The rules of its figures, as it is stored by them."""
        return sorted(figure.key for figure in self.figures)

    @property
    def source(self) -> FigureRows:
        source = self.figures[0].rows
        assert source is not None  # noqa: S101  # they count rows
        return source

    @property
    def is_of_day(self) -> bool:
        return self.figures[0].told.kind is FigureKind.stock

    def period(self, day: date) -> Days:
        """What is stored of a kept day: a stock of it, a flow since the first of its period."""
        months = self.months or 1
        begins = (day.month - 1) // months * months + 1
        return Days(date(day.year, begins, 1), day)

    def has(self, day: date) -> bool:
        """Of the days that are kept: today, and those on which one of its periods ends."""
        is_end = (day + _DAY).day == 1 and day.month % (self.months or 1) == 0
        return is_end or day == local_today()


def stored_in(figures: Iterable[Figure]) -> Iterator[Series]:
    """The series of those of these figures that are stored."""
    alike: dict[tuple[str, bool], list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.is_stored:
            alike[figure.rows_name, figure.adds_up].append(figure)
    for (_, adds_up), group in alike.items():
        if adds_up:
            yield Series(tuple(group))
        else:
            of_day = group[0].told.kind is FigureKind.stock
            for months in _LENGTHS[:1] if of_day else _LENGTHS:
                yield Series(tuple(group), months)
