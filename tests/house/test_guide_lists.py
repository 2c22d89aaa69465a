"""The guide lists every problem code, role and followed entity, as the code and its data have them."""

import pytest

from app import errors
from app.models.kernel.access import Role
from app.services.kernel.manifest import manifest
from docs import guide_lists


def test_the_guide_is_up_to_date() -> None:
    guide = guide_lists.GUIDE.read_text("utf-8")
    assert guide == guide_lists.written(guide), "run `python -m docs.guide_lists`"


@pytest.mark.parametrize("name", guide_lists.lists())
def test_it_has_each_once(name: str) -> None:
    known = {
        "roles": list(Role),
        "entities": manifest().by_entity,
        "problems": errors.PROBLEMS,
        "fields": errors.FIELD_ERRORS,
    }
    listed = [line.split("`")[1] for line in guide_lists.lists()[name].splitlines()[2:]]
    assert sorted(listed) == sorted(known[name.split(maxsplit=1)[0]])
