"""A picture of figures as SVG 1.1: no script, no style sheet, nothing fetched, and every text an element's text, so
that no name can be read as markup.

Readable in print and without seeing colours: one colour that differs from the ground by its
brightness, lines that end in marks, hatching where a number is withheld, each number written out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import pairwise
from math import ceil
from textwrap import wrap
from xml.etree import ElementTree as ET

from app.models.figures.pictures import PictureForm
from app.services.figures.pictures import PictureContent, PictureRow

_NAMESPACE = "http://www.w3.org/2000/svg"
_INK, _SOFT, _GRID, _FILL = "#1a1a1a", "#595959", "#d9d9d9", "#0072b2"
_FONT = "'Noto Sans','DejaVu Sans',Arial,sans-serif"
_MARGIN = 16
_TITLE, _TEXT = 17, 14
# Of a letter, as part of its size: an average of the fonts above, on the wide side.
_WIDE, _BOLD = 0.57, 0.63
_NARROW = 560
_ROW = 28


def svg(content: PictureContent, width: int) -> bytes:
    """The picture, as wide as asked and as high as it needs."""
    page = _Page(width)
    page.head(content)
    if content.form is PictureForm.trend:
        _trend(page, content)
    else:
        _bars(page, content)
    return page.written(content)


def shown_text(content: PictureContent, row: PictureRow) -> str:
    """The number of a row, or why there is none."""
    words, shown = content.words, row.shown
    if shown.withheld:
        return words.word("withheld")
    if shown.value is None:
        return words.word("not_known")
    rounded = f" ({words.word('rounded')})" if shown.rounded else ""
    return f"{row.sign}{words.number(shown.value)}{rounded}"


@dataclass(slots=True)
class _Page:
    width: int
    at: float = _MARGIN
    root: ET.Element = field(default_factory=lambda: ET.Element("svg"))

    def add(self, tag: str, text: str | None = None, **attributes: float | str) -> ET.Element:
        named = {name.replace("_", "-"): _plain(value) for name, value in attributes.items()}
        element = ET.SubElement(self.root, tag, named)
        element.text = text
        return element

    def text(self, x: float, y: float, text: str, **attributes: float | str) -> None:
        given: dict[str, float | str] = {"font_size": _TEXT, "fill": _INK, **attributes}
        self.add("text", text, x=x, y=y, **given)

    @property
    def inner(self) -> float:
        return self.width - 2 * _MARGIN

    def head(self, content: PictureContent) -> None:
        for line in wrap(content.finding, _letters(self.inner, _TITLE, _BOLD)):
            self.at += _TITLE + 5
            self.text(_MARGIN, self.at, line, font_size=_TITLE, font_weight="bold")
        for line in wrap(content.subtitle, _letters(self.inner, _TEXT)):
            self.at += _TEXT + 5
            self.text(_MARGIN, self.at, line, fill=_SOFT)
        self.at += 14

    def written(self, content: PictureContent) -> bytes:
        height = ceil(self.at + _MARGIN)
        for name, value in {
            "xmlns": _NAMESPACE,
            "width": str(self.width),
            "height": str(height),
            "viewBox": f"0 0 {self.width} {height}",
            "role": "img",
            "aria-labelledby": "title desc",
            "lang": content.words.language,
            "font-family": _FONT,
        }.items():
            self.root.set(name, value)
        numbers = "\n".join(f"{row.label}: {shown_text(content, row)}" for row in content.rows)
        _insert(self.root, "rect", None, width=self.width, height=height, fill="#ffffff")
        _insert(self.root, "desc", f"{content.subtitle}\n{numbers}", id="desc")
        _insert(self.root, "title", content.finding, id="title")
        drawn: bytes = ET.tostring(self.root, encoding="utf-8")
        return drawn


def _insert(root: ET.Element, tag: str, text: str | None, **attributes: float | str) -> None:
    """As the first child."""
    element = ET.Element(tag, {name: _plain(value) for name, value in attributes.items()})
    element.text = text
    root.insert(0, element)


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def _letters(width: float, size: int, wide: float = _WIDE) -> int:
    return max(8, int(width / (size * wide)))


def _cut(text: str, width: float) -> str:
    """As much of it as there is room for; the whole stands in the description."""
    most = _letters(width, _TEXT)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


# -- bars


def _bars(page: _Page, content: PictureContent) -> None:
    """A bar for each row, its number behind it; on a narrow page its name above it."""
    narrow = page.width < _NARROW
    texts = [shown_text(content, row) for row in content.rows]
    numbers = max((len(text) for text in texts), default=0) * _TEXT * _WIDE + 8
    left = _MARGIN if narrow else _MARGIN + page.inner * 0.36
    room = max(40.0, page.width - _MARGIN - left - min(numbers, page.inner * 0.4))
    sizes = [abs(row.shown.value or Decimal(0)) for row in content.rows]
    largest = max(sizes, default=Decimal(0))
    for row, text, size in zip(content.rows, texts, sizes, strict=True):
        if narrow:
            page.at += _TEXT + 4
            page.text(_MARGIN, page.at, _cut(row.label, page.inner))
            page.at += 6
        length = float(size / largest) * room if largest else 0.0
        middle = page.at + _ROW / 2 + 1
        if not narrow:
            label = _cut(row.label, left - _MARGIN - 8)
            page.text(left - 8, middle + 4, label, text_anchor="end")
        _bar(page, row, left, length)
        page.text(left + length + 6, middle + 4, text)
        page.at += _ROW
    page.add("line", x1=left, x2=left, y1=page.at - 1, y2=page.at - 1, stroke=_INK)


def _bar(page: _Page, row: PictureRow, left: float, length: float) -> None:
    """Full; hollow of what went or is less than nothing; a dash where there is no number."""
    shown = row.shown
    if shown.value is None:
        page.add("rect", x=left, y=page.at + 6, width=2, height=_ROW - 10, fill=_SOFT)
        return
    hollow = shown.value < 0 or row.sign == "\u2212"
    page.add(
        "rect",
        x=left,
        y=page.at + 5,
        width=max(length, 1),
        height=_ROW - 8,
        fill="#ffffff" if hollow else _FILL,
        stroke=_FILL,
        stroke_width=1.5,
    )


# -- a line from month to month

_HIGH = 220


def _trend(page: _Page, content: PictureContent) -> None:
    values = [row.shown.value for row in content.rows]
    known = [value for value in values if value is not None]
    ticks = _ticks(known, from_zero=content.from_zero)
    if ticks[0] != 0:
        note = content.words.word("starts_at", value=content.words.number(ticks[0]))
        page.at += _TEXT
        page.text(_MARGIN, page.at, note, fill=_SOFT)
        page.at += 8
    names = [content.words.number(tick) for tick in ticks]
    left = _MARGIN + max(map(len, names)) * _TEXT * _WIDE + 8
    top, bottom, right = page.at + 14, page.at + 14 + _HIGH, page.width - _MARGIN - 24
    for tick, name in zip(ticks, names, strict=True):
        y = _height(tick, ticks, top, bottom)
        page.add("line", x1=left, x2=right, y1=y, y2=y, stroke=_GRID)
        page.text(left - 8, y + 5, name, text_anchor="end", fill=_SOFT)
    step = (right - left) / max(1, len(values) - 1)
    points = [
        None if value is None else (left + step * place, _height(value, ticks, top, bottom))
        for place, value in enumerate(values)
    ]
    for one, next_ in pairwise(points):
        if one is not None and next_ is not None:
            (x1, y1), (x2, y2) = one, next_
            page.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=_FILL, stroke_width=2.5)
    _marks(page, content.rows, points, left, step, bottom)
    _numbers(page, content, points, bottom)
    _months(page, content.rows, left, step, bottom)
    page.at = bottom + 26


Point = tuple[float, float] | None


def _marks(
    page: _Page,
    rows: Sequence[PictureRow],
    points: Sequence[Point],
    left: float,
    step: float,
    bottom: float,
) -> None:
    """A dot at each number, a cross at the foot where there is none."""
    for place, (row, point) in enumerate(zip(rows, points, strict=True)):
        if point is not None:
            page.add("circle", cx=point[0], cy=point[1], r=4, fill=_FILL)
            continue
        x = left + step * place
        dash = "0" if row.shown.withheld else "2 2"
        for rise in (-4, 4):
            page.add(
                "line",
                x1=x - 4,
                x2=x + 4,
                y1=bottom - 8 - rise,
                y2=bottom - 8 + rise,
                stroke=_SOFT,
                stroke_dasharray=dash,
            )


def _numbers(page: _Page, content: PictureContent, points: Sequence[Point], bottom: float) -> None:
    """The first number and the last, at their dots, on the side where the line is not."""
    drawn = [(point, row) for point, row in zip(points, content.rows, strict=True) if point]
    if not drawn:
        return
    ends = {0: 1, len(drawn) - 1: len(drawn) - 2}
    for place, next_ in ends.items():
        (x, y), row = drawn[place]
        comes_from_above = drawn[next_][0][1] < y - 4
        below = comes_from_above and y + 24 < bottom
        anchor = "start" if place == 0 and len(drawn) > 1 else "end"
        # With a rim of the ground's colour, where the line does run through it.
        rim: dict[str, float | str] = {"stroke": "#ffffff", "stroke_width": 4}
        rim |= {"paint_order": "stroke", "text_anchor": anchor}
        page.text(x, y + 22 if below else y - 10, shown_text(content, row), **rim)


def _months(
    page: _Page, rows: Sequence[PictureRow], left: float, step: float, bottom: float
) -> None:
    """As many names as there is room for, the last one always."""
    wide = max(len(row.label) for row in rows) * _TEXT * _WIDE + 14
    every = max(1, ceil(wide / step)) if step else 1
    for place in range(len(rows) - 1, -1, -every):
        anchor = "end" if place == len(rows) - 1 and len(rows) > 1 else "middle"
        x = left + step * place + (20 if anchor == "end" else 0)
        if anchor == "middle" and x - wide / 2 < 0:
            continue
        page.text(x, bottom + 20, rows[place].label, text_anchor=anchor, fill=_SOFT)


def _ticks(values: Sequence[Decimal], *, from_zero: bool) -> list[Decimal]:
    """A few round numbers, from no more than the smallest to no less than the largest."""
    low, high = min(values, default=Decimal(0)), max(values, default=Decimal(1))
    if from_zero:
        low, high = min(low, Decimal(0)), max(high, Decimal(0))
    step = _round_up((high - low) / 4 or Decimal(1))
    first = (low / step).to_integral_value(ROUND_FLOOR)
    last = (high / step).to_integral_value(ROUND_CEILING)
    if first == last:
        first, last = first - (low > 0 or low < 0), last + 1
    return [step * number for number in range(int(first), int(last) + 1)]


def _round_up(step: Decimal) -> Decimal:
    """1, 2 or 5 times a power of ten."""
    power = Decimal(1).scaleb(step.adjusted())
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step)


def _height(value: Decimal, ticks: Sequence[Decimal], top: float, bottom: float) -> float:
    return bottom - float((value - ticks[0]) / (ticks[-1] - ticks[0])) * (bottom - top)
