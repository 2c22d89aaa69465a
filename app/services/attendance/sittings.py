"""The session that captures are of, and who may capture in it."""

from uuid import UUID

from sqlmodel import Session

from app.models.events.events import EventState
from app.models.kernel.access import Right
from app.services.attendance.facts import Sitting, find_sitting
from app.services.events.scope import viewer
from app.services.kernel.access import Actor, forbidden, require_somewhere


def sitting_to_capture(session: Session, actor: Actor, session_id: UUID) -> Sitting | None:
    """The session, for an actor who may capture for a host or an invited unit; None when it is out
    of scope or not known (yet), without distinction.
    """
    require_somewhere(session, actor, Right.attendance_write)
    sitting = find_sitting(session, session_id)
    if sitting is None or may_capture(actor, sitting):
        return sitting
    if viewer(session, actor).sees(sitting.event_state, sitting.units):
        raise forbidden(session, actor, Right.attendance_write, sitting.host_id)
    return None


def may_capture(actor: Actor, sitting: Sitting) -> bool:
    """For a host; once it is announced also for an invited unit, or for one below such a unit."""
    if any(actor.covers(Right.attendance_write, host) for host in sitting.hosts):
        return True
    if sitting.event_state is EventState.draft:
        return False
    invited = set(sitting.invited)
    return any(actor.covers(Right.attendance_write, unit) for unit in sitting.units) or any(
        not invited.isdisjoint(
            (grant.province_id, grant.district_id, grant.commune_id, grant.branch_id)
        )
        for grant in actor.grants
        if Right.attendance_write in grant.rights
    )
