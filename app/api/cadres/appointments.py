"""Appointments of cadres."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import UnitPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.base import ListQuery
from app.models.cadres.appointments import (
    AppointmentCreate,
    AppointmentEnd,
    AppointmentPage,
    AppointmentQuery,
    AppointmentRead,
    AppointmentUpdate,
    PostList,
    UnitAppointmentQuery,
)
from app.services.cadres import appointments, lists
from app.services.members.own import herself, own_id
from app.services.units.units import find_unit

router = Router(prefix="/v1", tags=["cadres"])
own = Router(prefix="/v1/me", tags=["own record"])
AppointmentPath = Annotated[UUID, Path(description="Id of the appointment.")]


@router.get("/posts", response_model=PostList)
async def list_posts(actor: ActorDep) -> PostList:  # noqa: ARG001  # the guard itself
    """Every post: its names, the levels where it exists, the role that comes with it there."""
    return PostList(items=lists.list_posts())


@router.get("/appointments", response_model=AppointmentPage, responses=STREAMED)
def list_appointments(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[AppointmentQuery, Query()]
) -> Response:
    """Posts held in my scope, today unless asked otherwise, by unit and then by post."""
    unit = find_unit(db, actor, query.unit)
    found = lists.list_appointments(db, actor, query, unit)
    return listing(request, db, query, AppointmentRead, found)


@router.post(
    "/appointments",
    status_code=201,
    response_model=AppointmentRead,
    responses={200: {"model": AppointmentRead, "description": "Made by this very request before."}},
)
def create_appointment(
    session: Session, actor: ActorDep, request: Request, body: AppointmentCreate
) -> Response:
    """Put a member in a post of a unit; the role of the post follows, if she has an account.

    A single post has one holder at a time, acting or not. Nobody appoints to more than they hold,
    nor themselves, except from a unit above. With its own `id`, sending it twice makes one
    appointment.
    """
    post, is_new = appointments.create(session, server_of(request).signin, actor, body)
    return entity(
        request,
        lists.get_appointment(session, actor, post.id),
        status=201 if is_new else 200,
        location=f"/v1/appointments/{post.id}",
        derived=True,
    )


@router.get("/appointments/{appointment_id}", response_model=AppointmentRead)
def get_appointment(
    db: Connection, actor: ActorDep, request: Request, appointment_id: AppointmentPath
) -> Response:
    """One appointment in my scope, with its holder."""
    return entity(request, lists.get_appointment(db, actor, appointment_id), derived=True)


@router.patch("/appointments/{appointment_id}", response_model=AppointmentRead)
def update_appointment(
    session: Session,
    actor: ActorDep,
    request: Request,
    appointment_id: AppointmentPath,
    body: AppointmentUpdate,
) -> Response:
    """Correct an appointment (JSON merge patch); the rights it brings follow its days at once."""
    signin, expected = server_of(request).signin, expected_revisions(request)
    appointments.update(session, signin, actor, appointment_id, body, expected)
    return entity(request, lists.get_appointment(session, actor, appointment_id), derived=True)


@router.post("/appointments/{appointment_id}/end", response_model=AppointmentRead)
def end_appointment(
    session: Session,
    actor: ActorDep,
    request: Request,
    appointment_id: AppointmentPath,
    body: AppointmentEnd,
) -> Response:
    """End a post: the rights that came with it end on the same day, today at once.

    A day to come may still be brought forward.
    """
    appointments.end(session, server_of(request).signin, actor, appointment_id, body)
    return entity(request, lists.get_appointment(session, actor, appointment_id), derived=True)


@router.get("/units/{unit_id}/appointments", response_model=AppointmentPage, responses=STREAMED)
def list_unit_appointments(
    db: Connection,
    actor: ActorDep,
    request: Request,
    unit_id: UnitPath,
    query: Annotated[UnitAppointmentQuery, Query()],
) -> Response:
    """Posts of a unit and of all below it: who holds them, whose end is near, which are vacant."""
    unit = lists.access_unit(db, actor, unit_id)
    find = lists.list_vacancies if query.vacant else lists.list_appointments
    return listing(request, db, query, AppointmentRead, find(db, actor, query, unit))


@own.get("/appointments", response_model=AppointmentPage, responses=STREAMED)
def list_own_appointments(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """My posts, those I held before as well."""
    mine = AppointmentQuery(member=own_id(actor), all=True)
    found = lists.list_appointments(db, herself(actor), mine, None)
    return listing(request, db, query, AppointmentRead, found)
