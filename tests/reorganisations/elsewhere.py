"""A commune that goes to another province."""

from datetime import date

from app.db import Database
from app.models.kernel.access import Role
from app.models.kernel.units import UnitLevel
from app.services.units.roots import plant
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.reorganisations.sides import granted
from tests.units.units import ago


def to_another_province(api: Api, database: Database, unit_id: UnitIds, commune: int) -> int:
    """The id of the province; two officers hold both from today on."""
    with writing(database) as session:
        other: int = plant(
            attributed(session),
            level=UnitLevel.province,
            name="Tỉnh Lào Cai",
            code=None,
            opened_on=date(1991, 10, 1),
        )
    given = [("camkhe", unit_id["phutho"]), ("camkhe", other), ("phutho", other)]
    rows = [granted(database, name, unit, Role.province_officer) for name, unit in given]
    with writing(database) as session:
        attributed(session).add_all(rows)
    move = {"op": "move", "unit_id": commune, "parent_id": other}
    body: Json = {"effective_on": ago(0), "operations": [move]}
    draft = made(api.as_("camkhe").post("/v1/reorganisations", json=body))
    path, decider = f"/v1/reorganisations/{draft['id']}", api.as_("phutho")
    digest = done(decider.get(f"{path}/preview"))["digest"]
    assert done(decider.post(f"{path}/confirm", json={"digest": digest}))["state"] == "applied"
    return other
