"""Units change over time: what is read of a unit, or of a period, says in which tree it counts."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from app.api.http.routing import Route, routes_of
from app.models.base import Names, UnitId

# What a parameter of a period is called.
PERIOD = {"from", "to", "period"}
# Reads of a unit or of a period that are of no tree but one, with the reason.
OF_ONE_TREE = {
    # The units themselves: `as_of` is the day of their tree.
    "list_branches": "branches of today, in the commune they stand in",
    "list_units": "as_of",
    "list_crosswalk": "from one day to another",
    "get_sync_checksums": "what a phone keeps today",
    "get_sync_plan": "what a phone keeps today",
    "pull_changes": "what a phone keeps today",
    "list_transfer_targets": "branches of today, to choose from",
    # What somebody has to do, or decides, today.
    "count_duplicates": "pairs to be decided on today",
    "count_work": "work of today",
    "count_privacy_requests": "work of today",
    "explain_access": "rights of today",
    # What one program asked for: it is in no unit.
    "list_external_ids": "what other systems call a unit itself",
    "list_feed_rows": "rows as they are now, from which a follower begins",
    "list_usage": "figures of an account",
    "list_campaign_coverage": "the work of a campaign, as it stands",
    "list_campaign_work": "the work of a campaign, as it stands",
    "list_correction_requests": "work of today",
    "list_duplicates": "pairs to be decided on today",
    "list_escape_tasks": "work of today",
    "list_privacy_requests": "work of today",
    "list_sync_inbox": "work of today",
    "list_work": "work of today",
    "preview_leavers": "who would be anonymised today",
    # What was said of a unit, which keeps it.
    "list_anonymisations": "decisions about the unit that was named",
    "read_feed": "each event has the units of its own moment",
    "list_changes": "the log has the units of each change as they were written",
    "list_erasures": "decisions about the unit that was named",
    "list_import_memories": "what was learnt of the lists of the unit itself",
    "list_import_rows": "rows of a file, of the unit they were written for",
    "list_imports": "files for the unit that was named",
    "list_poverty_differences": "figures as they were published, of the unit itself",
    "list_poverty_editions": "documents of the unit itself",
    "list_poverty_standards": "documents of the unit itself",
    "list_reorganisations": "drafts that name the unit",
    # Who people are to the union today.
    "count_consents": "what is agreed to today",
    "list_devices": "phones of today",
    "list_sync_health": "what phones say today",
    "list_accounts": "accounts of today, in the unit that looks after them",
    "list_consent_standings": "what is agreed to today",
    # Of one session or of one person.
    "get_sign_in_sheet": "the roster of one session, on its day",
    "list_own_events": "what the reader is invited to",
    "list_roster": "the roster of one session, on its day",
}


def queries_of(route: Route) -> Iterator[type[BaseModel]]:
    """The models of the query of an operation."""
    for parameter in route.fastapi.dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield model


def parts_of(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield from parts_of(part)


def names_a_unit(annotation: Any) -> bool:
    return any(isinstance(part, Names) and part.kind == "unit" for part in parts_of(annotation))


def of_units_or_periods(model: type[BaseModel]) -> bool:
    fields = model.model_fields
    aliases = {field.alias or name for name, field in fields.items()}
    units = any(
        names_a_unit(field.annotation) or any(map(names_a_unit, field.metadata))
        for field in fields.values()
    )
    return units or bool(aliases & PERIOD)


@pytest.fixture
def reads(app: FastAPI) -> dict[str, set[str]]:
    """The operations that read of a unit or of a period, each with its parameters."""
    return {
        route.operation_id: {name for model in queries_of(route) for name in model.model_fields}
        for route in routes_of(app)
        if route.method == "GET" and any(map(of_units_or_periods, queries_of(route)))
    }


def test_reads_of_units_and_periods_say_in_which_tree(reads: dict[str, set[str]]) -> None:
    without = {name for name, parameters in reads.items() if "hierarchy" not in parameters}
    assert without - OF_ONE_TREE.keys() == set()
    assert len(reads) - len(without) > 25


def test_none_is_left_out_that_is_not_there(reads: dict[str, set[str]]) -> None:
    assert OF_ONE_TREE.keys() - reads.keys() == set()
    assert [name for name in OF_ONE_TREE if "hierarchy" in reads[name]] == []


def test_a_filter_by_unit_would_be_found() -> None:
    class Query(BaseModel):
        place: UnitId | None = None

    class Other(BaseModel):
        place: int | None = None

    assert of_units_or_periods(Query)
    assert not of_units_or_periods(Other)
