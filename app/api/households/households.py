"""Households (hộ gia đình): where they live, who is in them, what happened to them."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity, expected_revisions
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.ids import HouseholdPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.households.acts import (
    HeadChange,
    HouseholdClose,
    HouseholdJoin,
    HouseholdMove,
    HouseholdSplit,
    PersonAdd,
    PersonLeave,
)
from app.models.households.households import (
    Household,
    HouseholdCreate,
    HouseholdEventPage,
    HouseholdEventRead,
    HouseholdUpdate,
)
from app.models.households.lists import (
    HouseholdAsOf,
    HouseholdOnDay,
    HouseholdPage,
    HouseholdPersonItem,
    HouseholdPersonPage,
    HouseholdQuery,
    HouseholdRead,
    HouseholdSaved,
    PeopleQuery,
)
from app.services.households import acts, forming, households, lists, people, resemblance
from app.services.members import checks

router = Router(prefix="/v1/households", tags=["households"])
PersonPath = Annotated[UUID, Path(description="Id of the person.")]
AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": HouseholdRead, "description": "Made by this very request before."}
}
SAVED_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": HouseholdSaved, "description": "Made by this very request before."}
}


@router.get("", response_model=HouseholdPage, responses=STREAMED)
def list_households(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[HouseholdQuery, Query()]
) -> Response:
    """Households in my scope by the name of their head; poverty data needs its right.

    Of a past day (`as_of`): who lived there on it, each as it was then, as far as I may read it
    today; in the order of the names of today.
    """
    return listing(request, db, query, HouseholdOnDay, lists.list_households(db, actor, query))


@router.get("/people", response_model=HouseholdPersonPage, responses=STREAMED)
def list_household_people(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[PeopleQuery, Query()]
) -> Response:
    """The people of all households of a unit, over a period; without one, today. A member out of my
    scope appears by id only."""
    found = people.list_people(db, actor, query)
    return listing(request, db, query, HouseholdPersonItem, found)


@router.post("", status_code=201, response_model=HouseholdSaved, responses=SAVED_AGAIN)
def create_household(
    session: Session, actor: ActorDep, request: Request, body: HouseholdCreate
) -> Response:
    """Enter a household with its people, exactly one of them its head. With its own `id`, sending
    it twice makes one. `warnings` name households it may be already: of the same code, or head."""
    household, is_new = forming.create(session, actor, body)
    doubts = resemblance.doubts_about(session, actor, household, body)
    item = lists.read(session, actor, household) | _warnings(doubts)
    location = f"/v1/households/{household.id}" if is_new else None
    status = 201 if is_new else 200
    return entity(request, item, status=status, derived=True, location=location)


@router.get("/{household_id}", response_model=HouseholdRead)
def get_household(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[HouseholdAsOf, Query()],
) -> Response:
    """One household with its people, today or `as_of` a day; what I may not see is null and named
    in `masked`."""
    fields = chosen_fields(query.fields, HouseholdRead)
    item = lists.get_household(db, actor, household_id, query.as_of)
    return entity(request, item, fields=fields, derived=True)


@router.patch("/{household_id}", response_model=HouseholdSaved)
def update_household(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: HouseholdUpdate,
) -> Response:
    """Correct what has no history of its own (JSON merge patch); `warnings` as for a new one."""
    expected = expected_revisions(request)
    household = households.update(session, actor, household_id, body, expected)
    coded = "code" in body.model_fields_set
    doubts = resemblance.doubts_about_code(session, actor, household) if coded else ()
    return entity(request, lists.read(session, actor, household) | _warnings(doubts), derived=True)


def _warnings(doubts: Iterable[checks.Doubt]) -> dict[str, Any]:
    return {"warnings": checks.warnings(doubts, request_context.get().language)}


@router.get("/{household_id}/events", response_model=HouseholdEventPage, responses=STREAMED)
def list_household_events(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """What happened to a household, with what was before and after, in the order it was recorded."""
    return listing(
        request, db, query, HouseholdEventRead, lists.list_events(db, actor, household_id)
    )


# -- what happens to it


def _answer(
    session: Session, actor: ActorDep, request: Request, household: Household, *, status: int = 200
) -> Response:
    item = lists.read(session, actor, household)
    location = f"/v1/households/{household.id}" if status == 201 else None
    return entity(request, item, status=status, derived=True, location=location)


@router.post("/{household_id}/people", response_model=HouseholdRead)
def add_household_person(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: PersonAdd,
) -> Response:
    """Somebody is born, marries or moves into the household, from `effective_on` on."""
    household = acts.add_person(session, actor, household_id, body)
    return _answer(session, actor, request, household)


@router.post("/{household_id}/people/{person_id}/leave", response_model=HouseholdRead)
def remove_household_person(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    person_id: PersonPath,
    body: PersonLeave,
) -> Response:
    """Somebody leaves the household; the head only after another has become it."""
    household = acts.remove_person(session, actor, household_id, person_id, body)
    return _answer(session, actor, request, household)


@router.post("/{household_id}/head", response_model=HouseholdRead)
def change_household_head(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: HeadChange,
) -> Response:
    """Another person heads the household, from `effective_on` on."""
    household = acts.change_head(session, actor, household_id, body)
    return _answer(session, actor, request, household)


@router.post(
    "/{household_id}/split", status_code=201, response_model=HouseholdRead, responses=AGAIN
)
def split_household(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: HouseholdSplit,
) -> Response:
    """Some of its people form a household of their own, which is the answer; no decision goes with
    them."""
    made, is_new = acts.split(session, actor, household_id, body)
    return _answer(session, actor, request, made, status=201 if is_new else 200)


@router.post("/{household_id}/join", response_model=HouseholdRead)
def join_households(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: HouseholdJoin,
) -> Response:
    """The household ends and its people go into another, which is the answer."""
    into = acts.join(session, actor, household_id, body)
    return _answer(session, actor, request, into)


@router.post("/{household_id}/move", response_model=HouseholdRead)
def move_household(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: HouseholdMove,
) -> Response:
    """The household lives in another branch, or at another address, from `effective_on` on."""
    return _answer(session, actor, request, acts.move(session, actor, household_id, body))


@router.post("/{household_id}/close", response_model=HouseholdRead)
def close_household(
    session: Session,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    body: HouseholdClose,
) -> Response:
    """The household is no more; its decision ends with it."""
    household = acts.close(session, actor, household_id, body)
    return _answer(session, actor, request, household)
