"""The guide lists every problem code, as the files of texts have them."""

from app import errors
from docs import problem_codes


def test_the_guide_is_up_to_date() -> None:
    guide = problem_codes.GUIDE.read_text("utf-8")
    assert guide == problem_codes.written(guide), "run `python -m docs.problem_codes`"


def test_it_has_every_code_once() -> None:
    tables = problem_codes.lists()
    for table, texts in (("problems", errors.PROBLEMS), ("fields", errors.FIELD_ERRORS)):
        listed = [line.split("`")[1] for line in tables[table].splitlines()[2:]]
        assert sorted(listed) == sorted(texts)
