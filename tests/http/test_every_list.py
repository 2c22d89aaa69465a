"""Every list takes the parameters of all lists, and refuses what is wrong in them.

What else one may send in them is generated for a few lists (test_contract.py): the rest read them by
the same model, and this file holds them to it.
"""

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import field_validator, model_validator

from app.api.http.routing import routes_of
from app.models.base import ListQuery
from app.models.kernel.hierarchy import PeriodQuery
from tests.helpers.client import Api
from tests.helpers.list_queries import as_every_list, lists
from tests.helpers.reading import Reading

SHARED = {"fields", "format", "headings", "limit", "cursor"}
WRONG: list[tuple[dict[str, str], dict[str, str]]] = [
    (
        {"limit": "0", "format": "pdf", "headings": "x", "cursor": "a" * 1001, "fields": "a" * 501},
        {
            "/limit": "too_small",
            "/format": "not_in_list",
            "/headings": "not_in_list",
            "/cursor": "too_long",
            "/fields": "too_long",
        },
    ),
    (
        {"limit": "201", "format": "", "headings": ""},
        {"/limit": "too_large", "/format": "not_in_list", "/headings": "not_in_list"},
    ),
    ({"limit": "x"}, {"/limit": "wrong_type"}),
    ({"limit": ""}, {"/limit": "wrong_type"}),
    ({"page": "2"}, {"/page": "unknown_field"}),
]


@pytest.mark.alike_on_both
class TestEveryList(Reading):
    @pytest.mark.parametrize(("sent", "refused"), WRONG)
    def test_refuses_what_is_wrong(
        self, app: FastAPI, api: Api, sent: dict[str, str], refused: dict[str, str]
    ) -> None:
        """Before it looks for the record in its address."""
        officer, found = api.as_("phutho"), lists(routes_of(app))
        assert len(found) > 90
        for route, _ in found:
            path = route.path
            for name in route.param_convertors:
                of_numbers = name in ("unit_id", "group_id")
                value = "1" if of_numbers else "0192f0c1-7c4e-7000-8000-000000000001"
                path = path.replace(f"{{{name}}}", value)
            answer = officer.get(path, params=sent)
            assert answer.status_code == 422, (path, answer.text)
            errors = {each["pointer"]: each["code"] for each in answer.json()["errors"]}
            assert errors | refused == errors, path

    def test_reads_them_by_one_model(self, app: FastAPI) -> None:
        """A list that needs its own has all of it generated again: leave it out here."""
        assert ListQuery.model_fields.keys() == SHARED
        assert [
            route.path for route, query in lists(routes_of(app)) if as_every_list(query) != SHARED
        ] == []


class TestWhatIsOfOneListAlone:
    def test_is_what_it_declares(self) -> None:
        class Few(PeriodQuery):
            limit: int = 3

        class Fewer(Few):
            """Nothing of its own."""

        assert as_every_list(PeriodQuery) == SHARED
        assert as_every_list(Fewer) == SHARED - {"limit"}

    def test_is_what_it_validates(self) -> None:
        class Checked(ListQuery):
            @field_validator("cursor")
            @classmethod
            def check(cls, value: str | None) -> str | None:
                return value

        assert as_every_list(Checked) == SHARED - {"cursor"}

    def test_is_all_where_it_changes_what_was_sent(self) -> None:
        class Changed(ListQuery):
            @model_validator(mode="before")
            @classmethod
            def change(cls, value: Any) -> Any:
                return value

        class Compared(ListQuery):
            @model_validator(mode="after")
            def compare(self) -> "Compared":
                return self

        assert as_every_list(Changed) == set()
        assert as_every_list(Compared) == SHARED
