"""Phones that send what was written offline."""

import pytest

from tests.helpers.answers import Json
from tests.helpers.client import Api


@pytest.fixture
def someone(head: Api) -> Json:
    """A member of the branch phuongvi-1, as her head sees her."""
    found: Json = head.get("/v1/members?limit=1").json()["items"][0]
    return found
