"""tests/helpers/second_turn.py leaves nothing out that only one test asks."""

from tests.helpers.second_turn import Noted, needed


def noted(cost: int, *asked: int, alone: bool = False) -> Noted:
    return Noted(frozenset(asked), cost, alone)


def test_the_costliest_that_others_cover_is_left_out() -> None:
    of = {"dear": noted(9, 1, 2), "one": noted(2, 1), "two": noted(2, 2)}
    assert needed(of, of) == {"one", "two"}


def test_who_alone_asks_something_stays() -> None:
    of = {"dear": noted(9, 1, 2, 3), "one": noted(2, 1), "two": noted(1, 2)}
    assert needed(of, of) == {"dear"}


def test_nothing_noted_or_processes_stay() -> None:
    of = {"one": noted(1, 1), "starts": noted(5, 1, alone=True)}
    assert needed(["one", "starts", "new"], of) == {"starts", "new"}


def test_what_only_tests_that_do_not_run_ask_is_not_covered_by_them() -> None:
    of = {"here": noted(5, 1), "elsewhere": noted(1, 1)}
    assert needed(["here"], of) == {"here"}


def test_who_asks_nothing_is_left_out() -> None:
    assert needed(["idle"], {"idle": noted(0)}) == set()
