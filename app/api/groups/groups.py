"""Groups beside branches (tổ phụ nữ, clubs, ...) and who takes part in them."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import ListQuery
from app.models.groups.groups import (
    GroupCount,
    GroupCountQuery,
    GroupPage,
    GroupQuery,
    GroupRead,
    ParticipationCreate,
    ParticipationEnd,
    ParticipationPage,
    ParticipationQuery,
    ParticipationRead,
    UnitParticipationQuery,
)
from app.services.groups import groups, lists
from app.services.members.own import herself, own_id

router = Router(prefix="/v1", tags=["groups"])
own = Router(prefix="/v1/me", tags=["own record"])
GroupPath = Annotated[int, Path(ge=1, le=2**31 - 1, description="Id of the group: of its unit.")]
ParticipationPath = Annotated[UUID, Path(description="Id of the participation.")]


@router.get("/groups", response_model=GroupPage, responses=STREAMED)
def list_groups(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[GroupQuery, Query()]
) -> Response:
    """Groups in my scope, by name. They are units of level `group`, opened at POST /v1/units."""
    return listing(request, db, query, GroupRead, lists.list_groups(db, actor, query))


@router.get("/groups/count", response_model=GroupCount)
def count_groups(
    db: Connection, actor: ActorDep, query: Annotated[GroupCountQuery, Query()]
) -> GroupCount:
    """People and participations of the groups in my scope: two figures that never mix."""
    return lists.count_groups(db, actor, query)


@router.get("/participations", response_model=ParticipationPage, responses=STREAMED)
def list_unit_participations(
    db: Connection,
    actor: ActorDep,
    request: Request,
    query: Annotated[UnitParticipationQuery, Query()],
) -> Response:
    """Which members of a unit took part in which groups, over a period; without one, today."""
    return listing(request, db, query, ParticipationRead, groups.list_of_unit(db, actor, query))


@router.get(
    "/groups/{group_id}/participations", response_model=ParticipationPage, responses=STREAMED
)
def list_participations_of_group(
    db: Connection,
    actor: ActorDep,
    request: Request,
    group_id: GroupPath,
    query: Annotated[ParticipationQuery, Query()],
) -> Response:
    """Who takes part in a group, by name; of members outside my scope nothing is shown."""
    found = groups.list_of_group(db, actor, group_id, query)
    return listing(request, db, query, ParticipationRead, found)


@router.post(
    "/groups/{group_id}/participations",
    status_code=201,
    response_model=ParticipationRead,
    responses={
        200: {"model": ParticipationRead, "description": "Made by this very request before."}
    },
)
def join_group(
    session: Session,
    actor: ActorDep,
    request: Request,
    group_id: GroupPath,
    body: ParticipationCreate,
) -> Response:
    """A member takes part in a group from a day on. A team takes members of its branch only."""
    participation_id, is_new = groups.join(session, actor, group_id, body)
    return entity(request, groups.read(session, participation_id), status=201 if is_new else 200)


@router.post("/participations/{participation_id}/end", response_model=ParticipationRead)
def end_participation(
    session: Session,
    actor: ActorDep,
    request: Request,
    participation_id: ParticipationPath,
    body: ParticipationEnd,
) -> Response:
    """She no longer takes part; ended on its very first day the entry counts nowhere."""
    groups.end(session, actor, participation_id, body)
    return entity(request, groups.read(session, participation_id))


@router.get(
    "/members/{member_id}/participations", response_model=ParticipationPage, responses=STREAMED
)
def list_participations_of_member(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """All groups a member takes or took part in, oldest first."""
    found = groups.list_of_member(db, actor, member_id)
    return listing(request, db, query, ParticipationRead, found)


@own.get("/participations", response_model=ParticipationPage, responses=STREAMED)
def list_own_participations(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """The groups I take or took part in, oldest first."""
    found = groups.list_of_member(db, herself(actor), own_id(actor))
    return listing(request, db, query, ParticipationRead, found)
