"""The sign-in sheet of a session: its roster to be printed, with the code for phones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.engine import Connection

from app.errors import invalid
from app.models.attendance.rosters import RosterQuery
from app.services.attendance import cards, rosters
from app.services.events import agenda
from app.services.kernel.access import Actor

MOST_PEOPLE: Final = 1_000
# Empty lines at the end, for people who are on no roster.
GUEST_ROWS: Final = 5


@dataclass(frozen=True, slots=True)
class Sheet:
    """`people` are names with the names of their branches; `code` is good for the whole session."""

    title: str
    starts_at: datetime
    ends_at: datetime
    place: str | None
    code: str
    people: Sequence[tuple[str, str]]


def of_session(db: Connection, actor: Actor, session_id: UUID, branch: int | None) -> Sheet:
    """For an actor who captures in the session. 422 `sheet_too_long` where a branch has to be
    chosen."""
    code = cards.session_code(db, actor, session_id, printed=True)
    query = RosterQuery(branch=branch)
    pages = rosters.list_roster(db, actor, session_id, query, as_file=True)
    people = [item for _, item in pages(db, None, MOST_PEOPLE + 1)]
    if len(people) > MOST_PEOPLE:
        raise invalid("sheet_too_long", "/branch", place="query", max=MOST_PEOPLE)
    session = agenda.get(db, actor, session_id)
    named = session["title"]
    return Sheet(
        title=session["event_title"] if named is None else f"{session['event_title']}: {named}",
        starts_at=session["starts_at"],
        ends_at=session["ends_at"],
        place=session["place"],
        code=code.token,
        people=[(each["full_name"], each["branch_name"]) for each in people],
    )
