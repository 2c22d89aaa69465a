"""What share of the suite's time each package of tests may take: `[tool.hoiso.test-budget]`.

Shares, not seconds: they are the same on a slow machine. Held when the whole suite runs. What is
exceeded is reported; it fails the run when it is more than a busy machine explains.
"""

import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Points of percent: a busy minute of a shared machine does not refuse a change.
NOISE = 10


def package_of(nodeid: str) -> str:
    """`tests/members/test_members.py::...` is of `members`."""
    parts = nodeid.split("/")
    return parts[1] if len(parts) > 2 else "house"


class Budget:
    """A plugin of pytest: adds up what the tests of each package took, set-up included."""

    def __init__(self, allowed: dict[str, float]) -> None:
        self.allowed = allowed
        self.taken: defaultdict[str, float] = defaultdict(float)

    @classmethod
    def of_project(cls) -> "Budget":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        return cls(project["tool"]["hoiso"]["test-budget"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.taken[package_of(report.nodeid)] += report.duration

    def shares(self) -> dict[str, float]:
        """Percent of the time of all tests, by package."""
        whole = sum(self.taken.values()) or 1.0
        return {name: 100 * seconds / whole for name, seconds in self.taken.items()}

    def exceeded(self, by: float = 0) -> list[str]:
        """One line for each package `by` so many points over its share; one without a share has 0."""
        return [
            f"tests/{name} took {share:.1f} % of the suite; pyproject.toml allows {self.allowed.get(name, 0):g}"
            for name, share in sorted(self.shares().items())
            if share > self.allowed.get(name, 0) + by
        ]

    def is_whole(self) -> bool:
        """Nothing was deselected: every package that has a budget took part."""
        return set(self.allowed) <= set(self.taken)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.is_whole():
            return
        terminalreporter.section("share of the suite's time, in percent")
        shares = sorted(self.shares().items(), key=lambda each: -each[1])
        terminalreporter.write_line(", ".join(f"{name} {share:.1f}" for name, share in shares))
        for line in self.exceeded():
            terminalreporter.write_line(line, red=True)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.OK and self.is_whole() and self.exceeded(NOISE):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
