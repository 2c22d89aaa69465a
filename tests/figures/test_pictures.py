"""Pictures of figures: the numbers of the figures, a finding as the title, and nothing but text in texts."""

from collections.abc import Mapping
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.figures.pictures import PictureForm
from app.models.kernel.units import Unit
from app.services.figures.drawing import svg
from app.services.figures.pictures import PictureContent, PictureRow
from app.services.figures.reading import FigureValue
from app.services.figures.wording import FigureWords
from tests.figures.test_figures import asked, value
from tests.helpers.answers import UnitIds, pointed
from tests.helpers.cadres import forbidden
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home
from tests.helpers.reading import Reading

SVG = "{http://www.w3.org/2000/svg}"


def picture(api: Api, indicator: str, unit: int, **more: str | int) -> ET.Element:
    answer = api.get(f"/v1/figures/{indicator}/picture", params={"unit": unit, **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/svg+xml"
    return ET.fromstring(answer.content)


def title(root: ET.Element) -> str:
    return (root.findtext(f"{SVG}title") or "").replace("\u00a0", " ")


def numbers(root: ET.Element) -> dict[str, str]:
    """What is read aloud: the lines of the description but the first."""
    lines = (root.findtext(f"{SVG}desc") or "").splitlines()[1:]
    return dict(line.rsplit(": ", 1) for line in lines)


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def bars(root: ET.Element) -> list[float]:
    """Their lengths; the ground is the first rectangle."""
    return [float(each.get("width", 0)) for each in list(root.iter(f"{SVG}rect"))[1:]]


class TestNumbers(Reading):
    def test_a_trend_has_those_of_the_months(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        year = str(local_today().year - 1)
        root = picture(officer, "members.total", commune, period=year)
        months = [
            each
            for each in asked(officer, commune, "members.total", period=year, by="month")
            if each["line"] == "period"
        ]
        assert list(numbers(root).values()) == [str(each["value"]) for each in months]
        assert list(numbers(root)) == [f"{month}/{year}" for month in range(1, 13)]
        assert len(list(root.iter(f"{SVG}circle"))) == 12
        assert title(root).startswith("Hội viên")

    def test_bars_are_of_the_units_below(self, api: Api, unit_id: UnitIds) -> None:
        officer, district = api.as_("camkhe"), unit_id["camkhe"]
        root = picture(officer, "members.total", district, form="children")
        below = {
            each["unit_name"]: each["value"]
            for each in asked(officer, district, "members.total", by="child")
            if each["line"] == "child"
        }
        assert {name: int(text) for name, text in numbers(root).items()} == below
        largest = max(below, key=lambda name: int(below[name]))
        assert title(root) == f"Hội viên nhiều nhất ở {largest}: {below[largest]} người"
        ordered = sorted(below.values(), reverse=True)
        lengths = bars(root)
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[1] / lengths[0] == pytest.approx(ordered[1] / ordered[0], abs=0.01)
        for name, count in below.items():
            assert {name, str(count)} <= set(texts(root))

    def test_bands_are_of_the_ages(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        root = picture(officer, "members.total", commune, form="bands")
        found = [int(text) for text in numbers(root).values()]
        codes = ["over_59", "50_59", "40_49", "30_39", "under_30"]
        ages = [value(officer, commune, f"members.age_{code}") for code in codes]
        assert found == ages
        assert str(max(ages)) in title(root)

    def test_in_the_language_that_is_asked_for(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/figures/members.total/picture?unit={unit_id['camkhe']}&form=children"
        answer = api.as_("camkhe").get(path, headers={"Accept-Language": "en"})
        root = ET.fromstring(answer.content)
        assert (root.get("lang"), title(root)[:16]) == ("en", "Members: most in")

    def test_one_who_has_it_gets_it_once(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/figures/members.total/picture?unit={unit_id['phuongvi']}&form=bands"
        tag = officer.get(path).headers["etag"]
        again = officer.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")

    def test_rights_are_those_of_the_figures(self, api: Api, unit_id: UnitIds) -> None:
        path = "/v1/figures/{}/picture?unit={}&form={}"
        admin, commune = api.as_("admin"), unit_id["phuongvi"]
        forbidden(admin.get(path.format("members.total", commune, "trend")), "members:read")
        auditor = api.as_("admin")
        forbidden(auditor.get(path.format("poverty.poor", commune, "flow")), "poverty:read")
        elsewhere = api.as_("tienluong").get(path.format("members.total", commune, "trend"))
        pointed(elsewhere, "/unit", "unit_unknown")
        officer = api.as_("phuongvi")
        pointed(
            officer.get(path.format("no.such", commune, "trend")), "/indicator", "figure_unknown"
        )
        other = officer.get(path.format("members.women", commune, "bands"))
        pointed(other, "/form", "picture_form_unknown")


def test_a_flow_balances(api: Api, database: Database, unit_id: UnitIds) -> None:
    officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
    house = home(database, branch)
    decide(database, house, "poor", local_today().isoformat())
    root = picture(officer, "poverty.poor", unit_id["phuongvi"], form="flow")
    first, *moved, last = (int(text.replace("\u2212", "-")) for text in numbers(root).values())
    assert (first, last) == (0, 1)
    assert first + sum(moved) == last
    assert title(root) == "Hộ nghèo: từ 0 còn 1 hộ; thêm 1, bớt 0"


def test_a_name_is_text(api: Api, database: Database, unit_id: UnitIds) -> None:
    """Names with such signs are refused where they are entered; a picture does not rely on that."""
    name = 'Xã <script>alert("1")</script> & <!-- ]]>'
    with writing(database) as session:
        renamed = sa.update(Unit).where(col(Unit.id) == unit_id["phuongvi"]).values(name=name)
        session.connection().execute(renamed)
    root = picture(
        api.as_("camkhe"), "members.total", unit_id["camkhe"], form="children", width=1200
    )
    assert name in numbers(root)
    assert name in texts(root)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "desc", "rect", "text", "line")
    }


def test_what_is_withheld_is_drawn_as_withheld(api: Api, unit_id: UnitIds) -> None:
    head, branch = api.as_("phuongvi-1"), unit_id["phuongvi-1"]
    assert asked(head, branch, "members.party")[0]["withheld"]
    root = picture(head, "members.party", branch)
    assert set(numbers(root).values()) == {"không công bố (số nhỏ)"}
    assert list(root.iter(f"{SVG}circle")) == []
    assert title(root).endswith("chưa đủ số liệu để so sánh")


# -- drawn


def drawn(form: PictureForm, values: Mapping[str, str | None], width: int) -> ET.Element:
    rows = [
        PictureRow(label, FigureValue(None if text is None else Decimal(text)))
        for label, text in values.items()
    ]
    words = FigureWords("vi")
    content = PictureContent(
        form, "Số hội viên tăng 3,2 % từ 1/2026 đến 12/2026", "Huyện", rows, False, words
    )
    return ET.fromstring(svg(content, width))


LONG = {f"Xã Phượng Vĩ có một cái tên rất dài thứ {n}": str(10**n) for n in range(1, 9)}
MONTHS = {f"{month}/2026": str(23_000 + 7 * month**3) for month in range(1, 13)}
SERIES = [
    MONTHS,
    dict(reversed(MONTHS.items())),
    {"1/2026": "5"},
    {"1/2026": "0", "2/2026": "0"},
    {"1/2026": "-3", "2/2026": "4.25", "3/2026": None},
    {f"{place}": None for place in range(3)},
    {f"{place % 12 + 1}/20{place // 12 + 10}": str(place) for place in range(60)},
]


@pytest.mark.parametrize("width", [320, 360, 720, 1200, 1600])
class TestDrawn:
    @pytest.mark.parametrize("values", SERIES)
    def test_a_line_stays_on_the_page(self, values: Mapping[str, str | None], width: int) -> None:
        root = drawn(PictureForm.trend, values, width)
        inside(root, width)
        dots = [float(dot.get("cy", 0)) for dot in root.iter(f"{SVG}circle")]
        known = [Decimal(text) for text in values.values() if text is not None]
        assert len(dots) == len(known)
        # The larger the number, the higher its dot.
        assert sorted(range(len(dots)), key=lambda n: -dots[n]) == sorted(
            range(len(known)), key=known.__getitem__
        )

    @pytest.mark.parametrize("values", [LONG, *SERIES])
    def test_bars_stay_on_the_page(self, values: Mapping[str, str | None], width: int) -> None:
        root = drawn(PictureForm.children, values, width)
        inside(root, width)


def inside(root: ET.Element, width: int) -> None:
    """No text runs over an edge, and no two over each other, by the average width of letters."""
    height = float(root.get("height", 0))
    boxes = []
    for element in root.iter(f"{SVG}text"):
        size, text = float(element.get("font-size", 0)), element.text or ""
        long = len(text) * size * 0.52
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        anchor = element.get("text-anchor", "start")
        left = x - {"start": 0.0, "middle": long / 2, "end": long}[anchor]
        assert left >= -1, text
        assert left + long <= width + 1, text
        assert 0 < y <= height, text
        boxes.append((left, left + long, y - size * 0.8, y, text))
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            apart = (
                one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
            )
            assert apart, (one, other)


def test_numbers_are_written_as_the_language_does() -> None:
    vi, en = FigureWords("vi"), FigureWords("en")
    for value_, in_vi, in_en in (
        ("23100", "23.100", "23,100"),
        ("1234567.50", "1.234.567,5", "1,234,567.5"),
        ("-3.25", "\u22123,25", "\u22123.25"),
        ("0", "0", "0"),
    ):
        assert (vi.number(Decimal(value_)), en.number(Decimal(value_))) == (in_vi, in_en)
