"""The guides list every problem code, role, followed entity and kind of row that is kept for a time, as
the code and its data have them."""

from pathlib import Path

import pytest

from app import errors
from app.models.kernel.access import Role
from app.services.kernel.manifest import manifest
from docs import guide_lists


@pytest.mark.parametrize("guide", guide_lists.lists(), ids=lambda path: path.stem)
def test_a_guide_is_up_to_date(guide: Path) -> None:
    assert guide.read_text("utf-8") == guide_lists.written(guide), (
        "run `python -m docs.guide_lists`"
    )


@pytest.mark.parametrize(
    ("guide", "name"),
    [(path, name) for path, names in guide_lists.lists().items() for name in names],
)
def test_it_has_each_once(guide: Path, name: str) -> None:
    known = {
        "roles": list(Role),
        "entities": manifest().by_entity,
        "problems": errors.PROBLEMS,
        "fields": errors.FIELD_ERRORS,
        "retention": [kept.code for kept in manifest().retention],
    }
    listed = [line.split("`")[1] for line in guide_lists.lists()[guide][name].splitlines()[2:]]
    assert sorted(listed) == sorted(known[name.split(maxsplit=1)[0]])
