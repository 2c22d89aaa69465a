"""Who was shown the sensitive data of a member or a household."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.deps import ActorDep
from app.api.http.ids import HouseholdPath, MemberPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.audit.access_log import AccessLogEntry, AccessLogPage
from app.models.base import ListQuery
from app.services.audit import access_log
from app.services.members.own import herself, own_id

of_members = Router(prefix="/v1/members", tags=["members"])
of_households = Router(prefix="/v1/households", tags=["households"])
own = Router(prefix="/v1/me", tags=["own record"])


@of_members.get("/{member_id}/access-log", response_model=AccessLogPage, responses=STREAMED)
def list_access_log(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """Who was shown a member's sensitive data, by day, the last day first.

    Written once a second: a server that is killed loses what it noted in its last second.
    """
    log = server_of(request).access_log
    found = access_log.list_of_member(db, actor, log, member_id)
    return listing(request, db, query, AccessLogEntry, found)


@of_households.get("/{household_id}/access-log", response_model=AccessLogPage, responses=STREAMED)
def list_household_access_log(
    db: Connection,
    actor: ActorDep,
    request: Request,
    household_id: HouseholdPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """Who was shown the standing of a household, by day, the last day first."""
    log = server_of(request).access_log
    found = access_log.list_of_household(db, actor, log, household_id)
    return listing(request, db, query, AccessLogEntry, found)


@own.get("/access-log", response_model=AccessLogPage, responses=STREAMED)
def list_own_access_log(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ListQuery, Query()]
) -> Response:
    """Who was shown my phone, citizen id, ethnicity, religion or party, the last day first.

    Written once a second: a server that is killed loses what it noted in its last second.
    """
    log = server_of(request).access_log
    mine = own_id(actor)
    found = access_log.list_of_member(db, herself(actor), log, mine)
    return listing(request, db, query, AccessLogEntry, found)
