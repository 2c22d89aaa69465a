"""Units whose officers decide together, since nobody holds a right above them."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.changes import ChangeSource
from app.services.kernel import changes
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import account, done, made
from tests.helpers.client import Api, writing
from tests.units.units import ago


class Sides:
    """The communes of the district, of which no officer is left."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.api, self.database, self.id = api, database, unit_id
        self.one, self.other = api.as_("phuongvi"), api.as_("tienluong")
        self.above = [unit_id["camkhe"], unit_id["phutho"]]
        with self.granting() as session:
            officers = (Role.district_officer, Role.province_officer)
            above = sa.and_(col(Grant.unit_id).in_(self.above), col(Grant.role).in_(officers))
            session.execute(sa.delete(Grant).where(above))

    def granting(self) -> Any:
        return _Writing(self.database)

    def grant(self, username: str, unit_id: int, role: Role = Role.commune_officer) -> None:
        given = granted(self.database, username, unit_id, role)
        with self.granting() as session:
            session.add(given)

    def ended(self, username: str) -> None:
        held = col(Grant.account_id) == account(self.database, username).id
        with self.granting() as session:
            session.execute(sa.delete(Grant).where(held))

    def given(self, **body: Any) -> Json:
        """A branch of the one commune goes to the other."""
        part: Json = {"op": "transfer", "unit_ids": [self.id["phuongvi-1"]]}
        part |= {"from_id": self.id["phuongvi"], "to_id": self.id["tienluong"]}
        return {"effective_on": ago(0), "operations": [part]} | body

    def draft(self, by: Api | None = None, **body: Any) -> Json:
        return made((by or self.one).post("/v1/reorganisations", json=self.given(**body)))

    def preview(self, draft: Json, by: Api | None = None) -> Json:
        return done((by or self.one).get(f"/v1/reorganisations/{draft['id']}/preview"))

    def confirm(self, draft: Json, by: Api, digest: str | None = None) -> Any:
        sent = {"digest": digest or self.preview(draft, by)["digest"]}
        return by.post(f"/v1/reorganisations/{draft['id']}/confirm", json=sent)

    def applied(self) -> Json:
        draft = self.draft()
        done(self.confirm(draft, self.one))
        found = done(self.confirm(draft, self.other))
        assert found["state"] == "applied"
        return found

    def revert(self, draft: Json, by: Api) -> Any:
        return by.post(f"/v1/reorganisations/{draft['id']}/revert", json={})


class _Writing:
    def __init__(self, database: Database) -> None:
        self.writing = writing(database)

    def __enter__(self) -> Session:
        session = self.writing.__enter__()
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        return session

    def __exit__(self, *error: Any) -> None:
        self.writing.__exit__(*error)


def granted(database: Database, username: str, unit_id: int, role: Role) -> Grant:
    now = utc_now()
    return Grant(
        account_id=account(database, username).id,
        unit_id=unit_id,
        role=role,
        valid_from=local_today(),
        created_at=now,
        updated_at=now,
    )


def confirmed(read: Json) -> dict[int, bool]:
    return {each["unit"]["id"]: each["confirmed"] for each in read["sides"]}
