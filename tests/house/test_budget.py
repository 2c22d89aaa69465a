"""The budget of the suite: shares of time by package."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.budget import ROOT, Budget, package_of


def report(path: str, seconds: float) -> Any:
    return SimpleNamespace(nodeid=f"{path}::test", duration=seconds)


@pytest.fixture
def budget() -> Budget:
    made = Budget({"members": 60, "units": 50})
    made.pytest_runtest_logreport(report("tests/members/test_lists.py", 2.5))
    made.pytest_runtest_logreport(report("tests/members/test_record.py", 0.5))
    return made


def test_is_held_as_a_share(budget: Budget) -> None:
    budget.pytest_runtest_logreport(report("tests/units/test_tree.py", 1.0))
    assert budget.shares() == {"members": 75, "units": 25}
    assert [line.split(" took")[0] for line in budget.exceeded()] == ["tests/members"]


def test_a_package_without_a_budget_has_none(budget: Budget) -> None:
    budget.pytest_runtest_logreport(report("tests/units/test_tree.py", 2.5))
    budget.pytest_runtest_logreport(report("tests/sync/test_pull.py", 0.5))
    assert [line.split(" took")[0] for line in budget.exceeded()] == ["tests/sync"]


def test_is_not_held_where_a_part_of_the_suite_ran(budget: Budget) -> None:
    assert not budget.is_whole()
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    budget.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(1.0, pytest.ExitCode.TESTS_FAILED), (1.5, pytest.ExitCode.OK)],
)
def test_fails_a_run_that_exceeds_it_by_more_than_noise(
    budget: Budget, seconds: float, status: pytest.ExitCode
) -> None:
    budget.pytest_runtest_logreport(report("tests/units/test_tree.py", seconds))
    assert budget.exceeded()  # 75 and 66.7 % of 60
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    budget.pytest_sessionfinish(session)
    assert session.exitstatus == status


def test_every_package_of_tests_has_one() -> None:
    packages = {package_of(str(path.relative_to(ROOT))) for path in ROOT.glob("tests/*/test_*.py")}
    # `make system-test` alone runs those of the system.
    assert packages - {"system"} == set(Budget.of_project().allowed), (
        "give it a share of the time in [tool.hoiso.test-budget] of pyproject.toml"
    )
