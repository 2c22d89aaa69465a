"""What a poverty standard makes of the answers of a household: pure, and explained.

Nothing is guessed: what is missing is named with the classes that it leaves open. Where that is one
class, it is given; else the class is `undetermined`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.models.kernel.units import AreaType
from app.models.poverty.poverty import AssessedClass
from app.models.poverty.standards import Indicator, Standard

Reason = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """Income in VND a person a month, or points of form B1; {indicator: true = deprived}.

    `deprivations`: how many there are, where that is known as a total (form B2).
    """

    area_type: AreaType | None
    income: int | None
    points: int | None
    answers: Mapping[str, bool | None]
    deprivations: int | None = None


@dataclass(frozen=True, slots=True)
class Classified:
    """`possible`: the classes that the missing answers leave open; one when nothing is missing."""

    class_: AssessedClass
    rule_version: str
    deprived: tuple[str, ...]
    missing: tuple[str, ...]
    possible: tuple[AssessedClass, ...]
    reasons: tuple[Reason, ...]


class Rules:
    """A standard with its local lines, made ready: the texts of all answers, the rules by area."""

    __slots__ = ("_by_area", "codes", "local", "points_each", "said", "standard", "version")

    def __init__(self, version: str, standard: Standard, local: Sequence[str] = ()) -> None:
        self.version = version
        self.standard = standard
        self.local = list(local)
        self.codes = tuple(indicator.code for indicator in standard.indicators)
        # Of form B2; 0 where they differ by indicator, so that a total names no number of them.
        points = {indicator.points for indicator in standard.indicators}
        self.points_each = points.pop() if len(points) == 1 else 0
        self.said = [
            (each.code, {answer: _of_indicator(each, answer) for answer in (True, False, None)})
            for each in standard.indicators
        ]
        self._by_area = {
            (area, by_points): [
                (rule.class_, _line(lines.get(area, {}), rule.income_at_most), rule)
                for rule in standard.rules
            ]
            for by_points, lines in ((False, standard.income_lines), (True, standard.point_lines))
            for area in AreaType
        }

    def decide(
        self, area: AreaType, value: int, deprived: int, *, by_points: bool
    ) -> tuple[AssessedClass, str | None, float, int | None]:
        """The first rule that holds: its class, its line (name and value) and its deprivations."""
        for class_, limit, rule in self._by_area[area, by_points]:
            if value <= limit and deprived >= (rule.deprived_at_least or 0):
                return class_, rule.income_at_most, limit, rule.deprived_at_least
        raise AssertionError("the last rule always holds")

    def limits(self, area: AreaType, *, by_points: bool) -> list[float]:
        return sorted({limit for _, limit, _ in self._by_area[area, by_points] if limit >= 0})


def _line(lines: Mapping[str, int], name: str | None) -> float:
    """No line named: any income will do. A line that has no points: none will."""
    return float("inf") if name is None else lines.get(name, -1)


def classify(rules: Rules, facts: Facts) -> Classified:
    """The class under these rules, and for each indicator and for the whole why."""
    answers = facts.answers
    deprived, missing, reasons = [], [], []
    for code, texts in rules.said:
        answer = answers.get(code)
        reasons.append(texts[answer])
        if answer:
            deprived.append(code)
        elif answer is None and facts.deprivations is None:
            missing.append(code)
    number = len(deprived) if facts.deprivations is None else facts.deprivations
    area = facts.area_type
    by_points = facts.income is None and facts.points is not None
    value = facts.points if by_points else facts.income
    if area is None:
        missing.append("area_type")
    if value is None:
        missing.append("income_per_person")
    if missing or area is None or value is None:
        possible = _possible(rules, facts, number)
        certain = len(possible) == 1
        class_ = possible[0] if certain else AssessedClass.undetermined
        reasons.append((_certain if certain else _undetermined)(rules, missing, possible))
    else:
        class_, name, limit, needed = rules.decide(area, value, number, by_points=by_points)
        possible = (class_,)
        reasons.append(_of_income(rules, area, value, by_points=by_points))
        reasons.append(_of_rule(class_, name, limit, needed, number))
    return Classified(
        class_, rules.version, tuple(deprived), tuple(missing), possible, tuple(reasons)
    )


def _possible(rules: Rules, facts: Facts, deprived: int) -> tuple[AssessedClass, ...]:
    """What each way of filling in what is missing would give."""
    unknown = sum(facts.answers.get(code) is None for code in rules.codes)
    unknown = unknown if facts.deprivations is None else 0
    by_points = facts.income is None and facts.points is not None
    found = set()
    for area in AreaType if facts.area_type is None else (facts.area_type,):
        known = facts.points if by_points else facts.income
        limits = rules.limits(area, by_points=by_points)
        # One value at each line, and one above all of them.
        finite = [int(limit) for limit in limits if limit != float("inf")]
        for value in [*finite, max(finite, default=0) + 1] if known is None else [known]:
            for count in range(deprived, deprived + unknown + 1):
                found.add(rules.decide(area, value, count, by_points=by_points)[0])
    return tuple(each for each in AssessedClass if each in found)


# -- in words


def _of_indicator(indicator: Indicator, answer: bool | None) -> Reason:
    state_vi, state_en = _STATES[answer]
    return {
        "indicator": indicator.code,
        "deprived": answer,
        "text_vi": f"{indicator.vi}: {state_vi} (thiếu hụt nếu {indicator.deprived_if_vi}).",
        "text_en": f"{indicator.en}: {state_en} (deprived if {indicator.deprived_if_en}).",
    }


_STATES = {
    True: ("thiếu hụt", "deprived"),
    False: ("không thiếu hụt", "not deprived"),
    None: ("chưa có câu trả lời", "not answered"),
}
_CLASSES_VI = {
    AssessedClass.poor: "hộ nghèo",
    AssessedClass.near_poor: "hộ cận nghèo",
    AssessedClass.average: "hộ có mức sống trung bình",
    AssessedClass.not_poor: "hộ không nghèo",
    AssessedClass.undetermined: "chưa xác định",
}
_CLASSES_EN = {
    AssessedClass.poor: "poor",
    AssessedClass.near_poor: "near-poor",
    AssessedClass.average: "average living standard",
    AssessedClass.not_poor: "not poor",
    AssessedClass.undetermined: "undetermined",
}
_AREAS_VI = {AreaType.rural: "nông thôn", AreaType.urban: "thành thị"}


def _whole(vi: str, en: str) -> Reason:
    return {"indicator": None, "deprived": None, "text_vi": vi, "text_en": en}


def _line_vi(name: str) -> str:
    """A line is named after the class below it."""
    return {each.value: told for each, told in _CLASSES_VI.items()}.get(name, name)


def _vnd(value: float) -> str:
    return f"{int(value):,}".replace(",", ".")


def _of_income(rules: Rules, area: AreaType, value: int, *, by_points: bool) -> Reason:
    lines = rules.standard.point_lines if by_points else rules.standard.income_lines
    of_area = lines.get(area, {})
    told = [f"{name} {_vnd(limit)}" for name, limit in of_area.items()]
    told_vi = [f"{_line_vi(name)} {_vnd(limit)}" for name, limit in of_area.items()]
    if by_points:
        return _whole(
            f"Điểm B1: {value}; mốc khu vực {_AREAS_VI[area]}: {', '.join(told_vi)}.",
            f"B1 points: {value}; lines of {area.value} areas: {', '.join(told)}.",
        )
    return _whole(
        f"Thu nhập {_vnd(value)} đồng/người/tháng; chuẩn khu vực {_AREAS_VI[area]}:"
        f" {', '.join(told_vi)}.",
        f"Income {_vnd(value)} VND a person a month; lines of {area.value} areas:"
        f" {', '.join(told)}.",
    )


def _of_rule(
    class_: AssessedClass, name: str | None, limit: float, needed: int | None, deprived: int
) -> Reason:
    vi, en = [], []
    if name is not None:
        vi.append(f"không quá chuẩn {_line_vi(name)} ({_vnd(limit)})")
        en.append(f"at or below the line {name} ({_vnd(limit)})")
    else:
        vi.append("trên mọi chuẩn")
        en.append("above every line")
    if needed is not None:
        vi.append(f"thiếu hụt {deprived} chỉ số (từ {needed} trở lên)")
        en.append(f"{deprived} deprivations ({needed} or more)")
    else:
        vi.append(f"thiếu hụt {deprived} chỉ số")
        en.append(f"{deprived} deprivations")
    return _whole(
        f"{', '.join(vi)}: {_CLASSES_VI[class_]}.", f"{', '.join(en)}: {_CLASSES_EN[class_]}."
    )


_FACTS_VI = {"area_type": "khu vực", "income_per_person": "thu nhập bình quân đầu người"}


def _certain(rules: Rules, missing: Sequence[str], possible: Sequence[AssessedClass]) -> Reason:
    names = _FACTS_VI | {each.code: each.vi for each in rules.standard.indicators}
    [class_] = possible
    return _whole(
        f"Thiếu {', '.join(names[each] for each in missing)}, nhưng trả lời thế nào thì vẫn là"
        f" {_CLASSES_VI[class_]}.",
        f"Missing {', '.join(missing)}; {_CLASSES_EN[class_]} whatever they are.",
    )


def _undetermined(
    rules: Rules, missing: Sequence[str], possible: Sequence[AssessedClass]
) -> Reason:
    names = _FACTS_VI | {each.code: each.vi for each in rules.standard.indicators}
    return _whole(
        f"Chưa xác định: thiếu {', '.join(names[each] for each in missing)}. Còn có thể là:"
        f" {', '.join(_CLASSES_VI[each] for each in possible)}.",
        f"Undetermined: missing {', '.join(missing)}. Still possible:"
        f" {', '.join(_CLASSES_EN[each] for each in possible)}.",
    )
