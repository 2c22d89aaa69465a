"""Poverty standards and what they make of answers: worked cases, and what holds for all of them."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Problem
from app.models.kernel.units import AreaType
from app.models.poverty.poverty import AssessedClass
from app.models.poverty.standards import Override, PointTable, Standard
from app.services.poverty import standards
from app.services.poverty.classification import Facts, Rules, classify
from app.services.poverty.standards import FOLDER, BadStandard, catalogue

CASES = yaml.safe_load(
    (Path(__file__).parents[1] / "data" / "poverty_cases.yaml").read_text("utf-8")
)
ORDER = [
    AssessedClass.poor,
    AssessedClass.near_poor,
    AssessedClass.average,
    AssessedClass.not_poor,
]
STANDARDS = [catalogue().on(date(year, 6, 1)) for year in (2018, 2024, 2028)]


def facts_of(case: dict[str, Any], rules: Rules) -> Facts:
    answers: dict[str, bool | None] = {
        code: n < case["deprived"] for n, code in enumerate(rules.codes)
    }
    for code in rules.codes[len(rules.codes) - case.get("missing", 0) :]:
        answers[code] = None
    area = case.get("area")
    total = case.get("b2")
    number = None if total is None else total // rules.points_each
    return Facts(area and AreaType(area), case.get("income"), case.get("points"), answers, number)


class TestWorkedCases:
    @pytest.mark.parametrize("case", CASES["cases"], ids=str)
    def test_is_classified(self, case: dict[str, Any]) -> None:
        assert case["source"] in CASES["sources"]
        rules = catalogue().on(case["day"])
        found = classify(rules, facts_of(case, rules))
        assert found.class_.value == case["class"]
        assert [each.value for each in found.possible] == case.get("possible", [case["class"]])
        assert found.rule_version == rules.version
        of_indicators = [reason for reason in found.reasons if reason["indicator"]]
        assert [reason["indicator"] for reason in of_indicators] == list(rules.codes)

    def test_each_indicator_has_its_reason(self) -> None:
        rules = catalogue().on(date(2024, 6, 1))
        answers = dict.fromkeys(rules.codes, False) | {"water": True, "waste": True}
        found = classify(rules, Facts(AreaType.rural, 1_000_000, None, answers))
        assert found.deprived == ("water",)
        [water] = [reason for reason in found.reasons if reason["indicator"] == "water"]
        assert water["deprived"] is True
        assert water["text_en"].startswith("Clean water: deprived (deprived if there is no clean")
        assert found.reasons[-1]["text_vi"] == (
            "không quá chuẩn hộ nghèo (1.500.000), thiếu hụt 1 chỉ số: hộ cận nghèo."
        )

    def test_no_day_without_a_standard_is_guessed(self) -> None:
        for day in (date(2015, 12, 31), date(2031, 1, 1)):
            with pytest.raises(Problem) as refused:
                catalogue().on(day)
            assert refused.value.code == "no_standard"


@st.composite
def known(draw: st.DrawFn) -> tuple[Rules, Facts]:
    rules = draw(st.sampled_from(STANDARDS))
    lines = [line for of in rules.standard.income_lines.values() for line in of.values()]
    near = st.sampled_from(lines).flatmap(lambda line: st.integers(line - 2, line + 2))
    answers = draw(st.fixed_dictionaries({code: st.booleans() for code in rules.codes}))
    income = draw(st.one_of(near, st.integers(0, 10_000_000)))
    return rules, Facts(draw(st.sampled_from(AreaType)), income, None, answers)


class TestAlways:
    @given(known(), st.integers(0, 5_000_000))
    def test_more_income_is_never_poorer(self, case: tuple[Rules, Facts], more: int) -> None:
        rules, facts = case
        assert facts.income is not None
        richer = Facts(facts.area_type, facts.income + more, None, facts.answers)
        before, after = classify(rules, facts).class_, classify(rules, richer).class_
        assert ORDER.index(after) >= ORDER.index(before)

    @given(known(), st.data())
    def test_one_more_deprivation_is_never_richer(
        self, case: tuple[Rules, Facts], data: st.DataObject
    ) -> None:
        rules, facts = case
        code = data.draw(st.sampled_from(rules.codes))
        worse = Facts(facts.area_type, facts.income, None, {**facts.answers, code: True})
        before, after = classify(rules, facts).class_, classify(rules, worse).class_
        assert ORDER.index(after) <= ORDER.index(before)

    @given(known())
    def test_the_same_gives_the_same(self, case: tuple[Rules, Facts]) -> None:
        rules, facts = case
        again = catalogue().by_version(rules.version)
        assert again is not None
        assert classify(again, facts) == classify(rules, facts)

    @given(known(), st.data())
    def test_what_is_missing_leaves_the_truth_possible(
        self, case: tuple[Rules, Facts], data: st.DataObject
    ) -> None:
        rules, facts = case
        hidden = data.draw(st.sets(st.sampled_from(rules.codes), min_size=1))
        answers = {
            code: None if code in hidden else answer for code, answer in facts.answers.items()
        }
        income = facts.income if data.draw(st.booleans()) else None
        found = classify(rules, Facts(facts.area_type, income, None, answers))
        # A class that is certain is given, whatever is missing.
        certain = len(found.possible) == 1
        assert found.class_ is (found.possible[0] if certain else AssessedClass.undetermined)
        assert hidden <= set(found.missing)
        assert ("income_per_person" in found.missing) == (income is None)
        assert classify(rules, facts).class_ in found.possible


OVERRIDE = """
id: phutho-2025
version: 1
overrides: vn-2022
province: "25"
source: "A resolution of the provincial council (example)"
valid_from: 2025-01-01
valid_to: 2025-12-31
income_lines: {rural: {poor: 1600000}}
"""
TABLE = """
id: b1-test
points_of: vn-2022
region: northern_midlands
area_type: rural
provinces: ["25"]
source: "An example"
items:
  - {code: size, vi: Số người, en: Persons, options: [{code: one, vi: Một, en: One, points: 75}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    catalogue.cache_clear()


class TestFiles:
    def test_follow_the_published_schema(self) -> None:
        schema = json.loads((FOLDER / "standard.schema.json").read_text("utf-8"))
        assert schema == standards.json_schema()
        files = sorted(FOLDER.glob("*.yaml"))
        assert [path.stem for path in files] == ["vn-2016", "vn-2022", "vn-2027"]
        for path in files:
            written = yaml.safe_load(path.read_text("utf-8"))
            jsonschema_rs.validate(schema, json.loads(json.dumps(written, default=str)))

    def test_have_twelve_indicators_since_2022(self) -> None:
        old, now, next_ = (set(rules.codes) for rules in STANDARDS)
        assert (len(old), len(now), len(next_)) == (10, 12, 12)
        assert next_ == now - {"information_means"} | {"waste"}

    def test_of_a_province_change_its_lines(self, folder: Path) -> None:
        (folder / "local.yaml").write_text(OVERRIDE, "utf-8")
        (folder / "b1.yaml").write_text(TABLE, "utf-8")
        made = catalogue(folder)
        day = date(2025, 6, 1)
        here, there = made.on(day, "25"), made.on(day, "01")
        assert here.version == "vn-2022.1+phutho-2025.1"
        assert (there.version, made.on(date(2026, 1, 1), "25").version) == ("vn-2022.1",) * 2
        answers = {code: n < 3 for n, code in enumerate(here.codes)}
        facts = Facts(AreaType.rural, 1_600_000, None, answers)
        assert classify(here, facts).class_ is AssessedClass.poor
        assert classify(there, facts).class_ is AssessedClass.average
        assert here.standard.income_lines[AreaType.urban]["poor"] == 2_000_000
        assert made.by_version(here.version) is not None
        [shown] = standards.listed(made, day, "25")
        assert (shown.local, shown.point_tables) == (["phutho-2025"], ["b1-test"])

    @pytest.mark.parametrize(
        ("name", "change", "said"),
        [
            ("vn-2022", {"version": 1}, "higher version"),
            ("vn-2030", {"id": "vn-2030"}, "on the same day"),
            ("vn-2022", {"version": 2, "dimensions": []}, "unknown dimension"),
            ("vn-2022", {"version": 2, "income_lines": {}}, "each area type"),
            ("vn-2022", {"version": 2, "colour": "red"}, "colour"),
        ],
    )
    def test_that_do_not_hold_together_are_refused(
        self, folder: Path, name: str, change: dict[str, Any], said: str
    ) -> None:
        standard = yaml.safe_load((FOLDER / "vn-2022.yaml").read_text("utf-8"))
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(standard | change), "utf-8")
        with pytest.raises(BadStandard, match=said):
            catalogue(folder)

    def test_a_new_standard_needs_no_code(self, folder: Path) -> None:
        standard = yaml.safe_load((FOLDER / "vn-2022.yaml").read_text("utf-8"))
        standard |= {"id": "vn-2031", "valid_from": date(2031, 1, 1), "valid_to": None}
        (folder / "vn-2031.yaml").write_text(yaml.safe_dump(standard), "utf-8")
        assert catalogue(folder).on(date(2040, 1, 1)).version == "vn-2031.1"

    def test_are_of_three_kinds(self) -> None:
        kinds = (Standard, Override, PointTable)
        assert len({tuple(sorted(kind.model_fields)) for kind in kinds}) == 3
