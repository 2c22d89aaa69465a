"""Programs of the system, and Hội Số in processes of its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.helpers.databases import Clones
from tests.system import packages
from tests.system.running import Demo, Stage, demo_in


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*packages): Debian packages a test cannot do without")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for package in _needs(item):
        if packages.program(package) is None:
            pytest.skip(f"{package}: {packages.why_not()}")


def _needs(item: pytest.Item) -> list[str]:
    return [package for marker in item.iter_markers("needs") for package in marker.args]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`not run: <package>: <why>` for each test that could not run."""
    for report in terminalreporter.getreports("skipped"):
        _, _, reason = report.longrepr
        terminalreporter.write_line(
            f"not run: {reason.removeprefix('Skipped: ')} ({report.nodeid})"
        )


@pytest.fixture(scope="module")
def stage(clones: Clones, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A database, and processes that end with the tests of the file: a start takes seconds."""
    with clones.clone() as url, ExitStack() as ending:
        yield Stage(url, tmp_path_factory.mktemp("stage"), ending)


@pytest.fixture(scope="session")
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """The demo that a test asks for: "of 2024" or "reformed"."""
    with demo_in(tmp_path_factory.mktemp("demo"), reformed=request.param == "reformed") as served:
        yield served
