"""However many units somebody answers for, their lists send the same few statements.

A text for each number of units is compiled, cached and prepared on its own: memory that grows with
every combination of grants (`app/statements.py`).
"""

import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import Session, col, select

from app.api.http.routing import routes_of
from app.clock import local_today
from app.db import Database
from app.models.events.events import EventSession
from app.models.kernel.access import Role
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.services.kernel import changes
from tests.helpers.captures import hold
from tests.helpers.client import Api, counted, writing
from tests.helpers.homes import home
from tests.helpers.rows import add_account, add_member, add_unit

# Lists of values have one of these lengths (`statements.padded`), up to the most units here.
PADDED = (1, 2, 4, 8)
BETWEEN = (3, 5)
FURTHER = ["/v1/members?q=nguyen%20hoa", "/v1/members?q=h", "/v1/events?mine=true"]


def lists(app: FastAPI, ids: dict[str, object]) -> list[str]:
    """Every GET of what is in reach: all of it, or of a record that all officers see."""
    paths = {
        route.path.format_map(ids)
        for route in routes_of(app)
        if "GET" in (route.methods or ())
        and route.path.startswith("/v1/")
        and not route.public
        and route.param_convertors.keys() <= ids.keys()
    }
    return [*sorted(paths), *FURTHER]


def seen_by_all(database: Database) -> dict[str, object]:
    """Records of the one commune that each officer has, by the names of parameters."""
    with database.reading() as db:
        named = sa.select(col(Member.id), col(Member.branch_id))
        [member] = db.execute(named.where(col(Member.full_name) == "Nguyễn Thị Hoa 1")).all()
    session_id = hold(database, [member.branch_id])
    with database.reading() as db:
        of_session = sa.select(col(EventSession.event_id)).where(col(EventSession.id) == session_id)
        event_id = db.execute(of_session).scalar_one()
    return {
        "member_id": member.id,
        "unit_id": member.branch_id,
        "household_id": home(database, member.branch_id),
        "session_id": session_id,
        "event_id": event_id,
        "campaign": local_today().year,
    }


def add_officers(session: Session) -> None:
    """`of-1` answers for one commune, `of-2` for two, and so on."""
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    province = session.exec(select(Unit).where(col(Unit.level) == UnitLevel.province)).one()
    communes: dict[int, Role] = {}
    for number in range(1, PADDED[-1] + 1):
        commune = add_unit(session, UnitLevel.commune, f"Xã {number}", province)
        branch = add_unit(session, UnitLevel.branch, "Chi hội 1", commune)
        add_member(session, branch, f"Nguyễn Thị Hoa {number}")
        communes[commune.id] = Role.commune_officer
        add_account(session, f"of-{number}", communes)


def texts(app: FastAPI, database: Database, path: str) -> dict[int, set[str]]:
    """What each officer's list sends, by the number of communes."""
    found = {}
    for number in (*PADDED, *BETWEEN):
        officer = Api(app).as_(f"of-{number}")
        with counted(database) as sent:
            answer = officer.get(path)
        assert answer.status_code < 500, answer.text
        assert sent, path
        found[number] = set(sent)
    return found


def test_lists_send_few_texts_for_any_number_of_units(app: FastAPI, database: Database) -> None:
    with writing(database) as session:
        add_officers(session)
    many = {}
    for path in lists(app, seen_by_all(database)):
        of = texts(app, database, path)
        known = set().union(*(of[number] for number in PADDED))
        new = [number for number in of if of[number] - known]
        if new:
            many[path] = new
    assert many == {}
