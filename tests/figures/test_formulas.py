"""The language of formulas: exact, and what is not known stays unknown."""

from decimal import Decimal

import pytest

from app.services.figures.formulas import BadFormula, parse, parse_comparison

OF: dict[str, Decimal | None] = {
    "a.one": Decimal(4100),
    "a.two": Decimal(5125),
    "a.none": None,
    "a.zero": Decimal(0),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100 * a.one / a.two", Decimal(80)),
        ("0.1 + 0.2", Decimal("0.3")),
        ("-a.one + a.one", Decimal(0)),
        ("min(a.one, a.two, 7)", Decimal(7)),
        ("max(a.one, a.two)", Decimal(5125)),
        ("round(a.two / 1000)", Decimal(5)),
        ("a.one if a.two > 5000 else a.zero", Decimal(4100)),
        ("a.one if not a.two > 5000 else a.zero", Decimal(0)),
        ("null if a.zero == 0 else a.one", None),
        ("a.one <= a.two", Decimal(1)),
        ("a.one >= a.two", Decimal(0)),
        # Missing is not zero: it makes the whole result unknown.
        ("a.one + a.none", None),
        ("-a.none", None),
        ("max(a.one, a.none)", None),
        ("a.none <= a.one", None),
        ("a.one if a.none > 1 else a.two", None),
        # Where there is nothing to divide by there is no ratio.
        ("100 * a.one / a.zero", None),
        ("a.zero / a.zero", None),
        ("1 + a.one / a.zero", None),
        # Unknown, unless the other side decides.
        ("1 if a.none > 1 and a.zero > 1 else 2", Decimal(2)),
        ("1 if a.none > 1 or a.two > 1 else 2", Decimal(1)),
        ("1 if a.none > 1 or a.zero > 1 else 2", None),
    ],
)
def test_is_exact_and_unknown_where_a_figure_is(text: str, value: Decimal | None) -> None:
    assert parse(text).value(OF) == value


def test_names_are_the_figures_it_needs() -> None:
    assert parse("100 * a.one / (b.two + null)").names == {"a.one", "b.two"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.one +",
        "a.one ** 2",
        "a.one % 2",
        "a.one // 2",
        "True",
        "'text'",
        "[1]",
        "a.one[0]",
        "lambda: 1",
        "(1).real",
        "1 < a.one < 2",
        "__import__('os')",
        "max(a.one)",
        "max(a.one, key=1)",
        "sum(a.one, a.two)",
        "a.one if a.two else",
        "9" * 501,
        "a := 1",
    ],
)
def test_nothing_else_is_understood(text: str) -> None:
    with pytest.raises(BadFormula):
        parse(text)


@pytest.mark.parametrize(
    ("text", "off", "holds"),
    [
        ("a.one <= a.two", 0, True),
        ("a.two <= a.one", 1024, False),
        ("a.two <= a.one", 1025, True),
        ("a.one >= a.two", 1024, False),
        ("a.one >= a.two", 1025, True),
        ("a.two >= a.one", 0, True),
        ("a.two == a.one", 1025, True),
        ("a.one == a.two", 1025, True),
        ("a.one == a.two", 1024, False),
        ("a.one / 3 == a.two / 3 - 341", 1, True),
    ],
)
def test_sides_may_be_off_by_the_tolerance(text: str, off: int, holds: bool) -> None:
    comparison = parse_comparison(text)
    left, right = comparison.left.value(OF), comparison.right.value(OF)
    assert left is not None
    assert right is not None
    assert comparison.holds(left, right, Decimal(off)) is holds


@pytest.mark.parametrize("text", ["a.one", "a.one < a.two", "a.one != 1", "not a.one <= 1", "1 +"])
def test_a_comparison_says_what_one_is_to_the_other(text: str) -> None:
    with pytest.raises(BadFormula):
        parse_comparison(text)


def test_what_is_missing_on_a_side_stays_missing() -> None:
    comparison = parse_comparison("a.one <= (a.two if a.zero == 1 else null)")
    assert comparison.names == {"a.one", "a.two", "a.zero"}
    assert comparison.right.value(OF) is None
