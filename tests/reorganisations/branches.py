"""Two branches of a commune that are merged or split, over HTTP, with what is asked of them."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from app.db import Database
from app.models.memberships.transfers import Transfer
from app.models.poverty.flows import PovertyStay
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.units.units import ago

# The stays of households are derived: each has a new id when it is found again. Units wait for the
# fold to count them.
# Of events, what the heir had and has no more stays written down for its phones.
OWN = {"reorganisation", "reorganised_unit", "notification", "poverty_stay", "event_withdrawal"}


class Branches:
    """A commune of which the first two branches are reorganised."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.api, self.database, self.id = api, database, unit_id
        self.drafter, self.decider = api.as_("camkhe"), api.as_("phutho")
        self.commune = unit_id["phuongvi"]
        self.gone, self.heir = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        self.since = ago(0)

    def merge(self, *more: Json, **body: Any) -> Json:
        merge = {"op": "merge", "unit_ids": [self.gone, self.heir], "into_id": self.heir}
        return self.draft(*more, merge | body)

    def draft(self, *operations: Json) -> Json:
        body: Json = {"effective_on": self.since, "operations": operations}
        return made(self.drafter.post("/v1/reorganisations", json=body))

    def preview(self, draft: Json) -> Json:
        return done(self.decider.get(f"/v1/reorganisations/{draft['id']}/preview"))

    def apply(self, draft: Json) -> Json:
        digest = {"digest": self.preview(draft)["digest"]}
        return done(self.decider.post(f"/v1/reorganisations/{draft['id']}/apply", json=digest))

    def revert(self, draft: Json) -> Any:
        return self.decider.post(f"/v1/reorganisations/{draft['id']}/revert", json={})

    def count(self, unit: int, day: str | None = None) -> int:
        as_of = "" if day is None else f"?as_of={day}"
        found: int = done(self.drafter.get(f"/v1/units/{unit}{as_of}"))["member_count"]
        return found

    def movement(self, unit: int, *, since: int = 30) -> Json:
        return done(self.drafter.get(f"/v1/units/{unit}/movement?from={ago(since)}"))

    def transfer(self, by: str, member: UUID, target: int) -> Json:
        """One that waits: who asks holds the right on one side."""
        body = {"to_branch_id": target, "reason": "Chuyển nhà"}
        asked = self.api.as_(by).post(f"/v1/members/{member}/transfers", json=body)
        found = made(asked)
        assert found["state"] in ("requested", "consented")
        return found

    def stays(self, household_id: UUID) -> list[tuple[int, date | None]]:
        """In poverty: the branch, and the last day."""
        with writing(self.database) as session:
            rows = session.exec(
                select(PovertyStay)
                .where(col(PovertyStay.household_id) == household_id)
                .order_by(col(PovertyStay.valid_from))
            ).all()
        return [(row.branch_id, row.valid_to) for row in rows]

    def transfers(self, *asked: Json) -> list[tuple[int, int, str]]:
        """The sides and the state of each."""
        with writing(self.database) as session:
            rows = [session.get_one(Transfer, UUID(each["id"])) for each in asked]
        return [(row.from_branch_id, row.to_branch_id, row.state.value) for row in rows]
