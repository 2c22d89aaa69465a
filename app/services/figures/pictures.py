"""What a picture of a figure shows: rows with their numbers, and the finding as its title.

The numbers are those of GET /v1/figures, with the same rights, rounded and withheld alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy.engine import Connection

from app.errors import invalid
from app.models.figures.definitions import FigureDefinition, FigureKind
from app.models.figures.figures import FigureBy
from app.models.figures.pictures import FigurePictureQuery, PictureForm
from app.models.kernel.units import Unit
from app.problem_texts import Language
from app.services.figures import definitions, moments, periods, reading
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.figures.places import OWN
from app.services.figures.reading import FigureValue
from app.services.figures.wording import FigureWords
from app.services.kernel.access import Actor

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PictureRow:
    """`sign`: of what came (+) or went (−)."""

    label: str
    shown: FigureValue
    sign: str = ""


@dataclass(frozen=True, slots=True)
class PictureContent:
    """`from_zero`: its axis may not begin elsewhere."""

    form: PictureForm
    finding: str
    subtitle: str
    rows: Sequence[PictureRow]
    from_zero: bool
    words: FigureWords


@dataclass(frozen=True, slots=True)
class _Asked:
    moment: Moment
    actor: Actor
    unit: Unit
    days: Days
    told: FigureDefinition
    words: FigureWords

    def values(self, code: str, stretches: Sequence[Days]) -> list[FigureValue]:
        found = reading.whole(self.moment, self.actor, self.unit, stretches, [code])
        return [each.shown.get((self.unit.id, code), FigureValue(None)) for each in found]

    def whole_name(self, **more: str) -> dict[str, str]:
        return {"name": self.words.name(self.told), "unit": self.words.unit(self.told), **more}


def content(
    db: Connection, actor: Actor, indicator: str, query: FigurePictureQuery, language: Language
) -> PictureContent:
    """422 where the figure has no such form; 403 without the right to the figure."""
    days = periods.read(query.period, query.hierarchy)
    unit = reading.counted_unit(db, actor, query.unit, days.last)
    known = definitions.on(days.last)
    if indicator not in known:
        raise invalid("figure_unknown", "/indicator", place="path")
    told, words = known[indicator].told, FigureWords(language)
    codes = [indicator, *_beside(told, query.form)]
    for code in codes:
        reading.ensure(db, actor, unit, known, code, days.last)
        reading.ensure_tree(db, actor, unit, days, [code])
    with moments.one(db) as moment:
        asked = _Asked(moment, actor, unit, days, told, words)
        finding, rows = _FORMS[query.form](asked)
    first, last = words.day(days.first), words.day(days.last)
    when = first if first == last else f"{first} – {last}"
    return PictureContent(
        form=query.form,
        finding=finding,
        subtitle=f"{unit.name} · {when} ·\u00a0{words.unit(told)}",
        rows=rows,
        from_zero=query.form is not PictureForm.trend or told.kind is FigureKind.flow,
        words=words,
    )


def _beside(told: FigureDefinition, form: PictureForm) -> list[str]:
    """The other figures that the form needs."""
    if form is PictureForm.bands:
        found = told.bands
    elif form is PictureForm.flow:
        found = [*told.came, *told.went]
    else:
        return []
    if not found:
        raise invalid("picture_form_unknown", "/form", place="query")
    return found


# -- month by month


def _trend(asked: _Asked) -> tuple[str, list[PictureRow]]:
    months = periods.parts(asked.days, FigureBy.month)
    shown = asked.values(asked.told.code, months)
    rows = [
        PictureRow(asked.words.month(month.first), value)
        for month, value in zip(months, shown, strict=True)
    ]
    return _of_change(asked, months, shown), rows


def _of_change(asked: _Asked, months: Sequence[Days], shown: Sequence[FigureValue]) -> str:
    words, (first, last) = asked.words, (shown[0].value, shown[-1].value)
    if first is None or last is None or len(months) < 2:
        return words.finding("unknown", **asked.whole_name())
    numbers = {"first": words.number(first), "last": words.number(last)}
    between = {"since": words.month(months[0].first), "until": words.month(months[-1].first)}
    told = asked.whole_name(**between, **numbers)
    if first == last:
        return words.finding("level", **told)
    # Of a rate the percentage of a percentage says nothing.
    if first <= 0 or asked.told.formula is not None:
        return words.finding("from_to", **told)
    change = words.percent((last - first) / first * 100)
    if last < first:
        return words.finding("falls", change=change, **told)
    exact = not any(value.rounded for value in shown)
    most = _grew_most(asked, months) if exact else ""
    return words.finding("rises", change=change, most=most, **told)


def _grew_most(asked: _Asked, months: Sequence[Days]) -> str:
    """The unit directly below whose figure rose most."""
    code, (first, last) = asked.told.code, (months[0], months[-1])
    _, before = reading.split(asked.moment, asked.actor, asked.unit, first, [code])
    units, after = reading.split(asked.moment, asked.actor, asked.unit, last, [code])
    rises = [
        (now.value - was.value, each.name)
        for each in units
        if (was := before.shown.get((each.id, code))) and was.value is not None
        if (now := after.shown[each.id, code]).value is not None
    ]
    largest = max(rises, default=(Decimal(0), ""))
    return asked.words.finding("most", where=largest[1]) if largest[0] > 0 else ""


# -- bars


def _children(asked: _Asked) -> tuple[str, list[PictureRow]]:
    code = asked.told.code
    units, below = reading.split(asked.moment, asked.actor, asked.unit, asked.days, [code])
    rows = [PictureRow(each.name, below.shown[each.id, code]) for each in units]
    own = below.shown[OWN, code]
    if own.value:
        rows.append(PictureRow(asked.words.word("own"), own))
    rows.sort(key=lambda row: (row.shown.value is None, -(row.shown.value or 0)))
    return _of_largest(asked, "largest", rows), rows


def _bands(asked: _Asked) -> tuple[str, list[PictureRow]]:
    known = definitions.on(asked.days.last)
    [whole] = reading.whole(asked.moment, asked.actor, asked.unit, [asked.days], asked.told.bands)
    rows = [
        PictureRow(asked.words.name(known[code].told), whole.shown[asked.unit.id, code])
        for code in asked.told.bands
    ]
    return _of_largest(asked, "band", rows), rows


def _of_largest(asked: _Asked, finding: str, rows: Sequence[PictureRow]) -> str:
    known = [(row.shown.value, row.label) for row in rows if row.shown.value is not None]
    if not known:
        return asked.words.finding("unknown", **asked.whole_name())
    value, where = max(known)
    return asked.words.finding(
        finding, where=where, value=asked.words.number(value), **asked.whole_name()
    )


def _flow(asked: _Asked) -> tuple[str, list[PictureRow]]:
    """What there was the day before, what came and went, and what there is."""
    words, told, days = asked.words, asked.told, asked.days
    before = days.first - _DAY
    first, last = asked.values(told.code, [Days(before, before, days.fixed), days])
    came = [*_moved(asked, told.came, "+")]
    went = [*_moved(asked, told.went, "\u2212")]
    rows = [PictureRow(words.word("at_first"), first), *came, *went]
    rows.append(PictureRow(words.word("at_last"), last))
    if first.value is None or last.value is None:
        return words.finding("unknown", **asked.whole_name()), rows
    other = last.value - first.value - _sum(came) + _sum(went)
    if other:
        sign = "+" if other > 0 else ""
        rows.insert(-1, PictureRow(words.word("other"), FigureValue(other), sign))
    finding = words.finding(
        "flow",
        first=words.number(first.value),
        last=words.number(last.value),
        came=words.number(_sum(came)),
        went=words.number(_sum(went)),
        **asked.whole_name(),
    )
    return finding, rows


def _moved(asked: _Asked, codes: Sequence[str], sign: str) -> Iterator[PictureRow]:
    known = definitions.on(asked.days.last)
    for code in codes:
        [shown] = asked.values(code, [asked.days])
        yield PictureRow(asked.words.name(known[code].told), shown, sign)


def _sum(rows: Sequence[PictureRow]) -> Decimal:
    return sum((row.shown.value or Decimal(0) for row in rows), Decimal(0))


_FORMS = {
    PictureForm.trend: _trend,
    PictureForm.children: _children,
    PictureForm.bands: _bands,
    PictureForm.flow: _flow,
}
