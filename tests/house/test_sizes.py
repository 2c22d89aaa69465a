"""A file holds one story: none is long."""

from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
MOST = {"app": 400, "tests": 700}
MEDIAN_OF_SERVICES = 200


def lengths(folder: str) -> dict[str, int]:
    return {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }


def test_no_file_is_long() -> None:
    too_long = {
        path: lines
        for folder, most in MOST.items()
        for path, lines in lengths(folder).items()
        if lines > most
    }
    assert too_long == {}


def test_services_are_short() -> None:
    assert median(lengths("app/services").values()) <= MEDIAN_OF_SERVICES
