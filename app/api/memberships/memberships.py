"""Memberships: the spells of members in branches, and what they add up to."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath, UnitPath
from app.api.http.paging import STREAMED, figures, listing
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.base import ListQuery
from app.models.members.spells import (
    DeathCreate,
    DepartureCreate,
    Membership,
    MembershipAnnul,
    MembershipItem,
    MembershipItemPage,
    MembershipMovement,
    MembershipPage,
    MembershipQuery,
    MembershipRead,
    MembershipUpdate,
    MovementQuery,
    MovementRow,
    ReadmissionCreate,
)
from app.services.members import spells
from app.services.memberships import acts, corrections, lists, movement, withdrawals

router = Router(prefix="/v1", tags=["memberships"])
MembershipPath = Annotated[UUID, Path(description="Id of the membership.")]


@router.get("/memberships", response_model=MembershipItemPage, responses=STREAMED)
def list_unit_memberships(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[MembershipQuery, Query()]
) -> Response:
    """Who was in which branch of a unit when, over a period; without one, today."""
    found = lists.list_memberships(db, actor, query)
    return listing(request, db, query, MembershipItem, found)


@router.delete("/members/{member_id}", status_code=204)
def withdraw_member(session: Session, actor: ActorDep, member_id: MemberPath) -> None:
    """Take back a member I entered by mistake within the last day, a double for example.

    Then she was never there: no count of any day knows of her. 409 `entry_stays` says why not: the
    entry is another's or older, or somebody has built on it.
    """
    withdrawals.withdraw(session, actor, member_id)


@router.get("/members/{member_id}/memberships", response_model=MembershipPage, responses=STREAMED)
def list_memberships(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """Her spells in branches, oldest first, annulled ones too.

    All of them when she is in my scope; otherwise those in branches that are.
    """
    return listing(request, db, query, MembershipRead, spells.list_of_member(db, actor, member_id))


@router.post("/members/{member_id}/departures", status_code=201, response_model=MembershipRead)
def create_departure(
    session: Session,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    body: DepartureCreate,
) -> Response:
    """She leaves the union: ends her membership, her posts, her groups and a transfer under way."""
    return _made(session, request, acts.depart(session, actor, member_id, body))


@router.post("/members/{member_id}/death", status_code=201, response_model=MembershipRead)
def create_death(
    session: Session, actor: ActorDep, request: Request, member_id: MemberPath, body: DeathCreate
) -> Response:
    """She died: ends what a departure ends, for good."""
    return _made(session, request, acts.die(session, actor, member_id, body))


@router.post("/members/{member_id}/readmissions", status_code=201, response_model=MembershipRead)
def create_readmission(
    session: Session,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    body: ReadmissionCreate,
) -> Response:
    """A member who left comes back, to this branch or another.

    An officer who cannot see her record names her by `full_name` and `birth_date`, as exact as it
    is recorded; 429 after too many wrong tries.
    """
    limits = server_of(request).limits
    return _made(session, request, acts.readmit(session, limits, actor, member_id, body))


@router.patch("/memberships/{membership_id}", response_model=MembershipRead)
def update_membership(
    session: Session,
    actor: ActorDep,
    request: Request,
    membership_id: MembershipPath,
    body: MembershipUpdate,
) -> Response:
    """Correct days, reason or note entered wrongly (JSON merge patch).

    The day of a transfer moves on both its spells. `valid_to` null takes back a departure or a
    death; posts and groups that ended with it do not begin again. Moved to an earlier day, it ends
    them earlier too.
    """
    expected = expected_revisions(request)
    spell = corrections.correct(session, actor, membership_id, body, expected)
    return entity(request, spells.read(session, spell))


@router.post("/memberships/{membership_id}/annul", response_model=MembershipRead, if_match=True)
def annul_membership(
    session: Session,
    actor: ActorDep,
    request: Request,
    membership_id: MembershipPath,
    body: MembershipAnnul,
) -> Response:
    """Her last membership never was: it counts nowhere.

    A transfer annulled puts her back where she came from (if she has left or died since, she did
    so there), an admission leaves her in no branch. Posts and groups that rested on it end with it.
    """
    expected = expected_revisions(request)
    spell = corrections.annul(session, actor, membership_id, body, expected)
    return entity(request, spells.read(session, spell))


@router.get("/units/{unit_id}/movement", response_model=MembershipMovement, responses=STREAMED)
def get_movement(
    db: Connection,
    actor: ActorDep,
    request: Request,
    unit_id: UnitPath,
    query: Annotated[MovementQuery, Query()],
) -> Response:
    """Members at the beginning and the end of a period, and who came and went between; with `by`
    also of each branch or commune. As a file it has a row for each, or one for the unit.

    closing = opening + admitted + entered_undated + transferred_in - transferred_out - left - died.
    """
    found = movement.movement(db, actor, unit_id, query)
    return figures(request, db, query, found, MovementRow, movement.rows(found))


def _made(session: Session, request: Request, spell: Membership) -> Response:
    return entity(request, spells.read(session, spell), status=201)
