"""Lists that are not applied are counted by a draft that closes their unit."""

from app.db import Database
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, made
from tests.helpers.client import Api
from tests.imports.test_imports import HEADER, Work, previewed, women, xlsx
from tests.units.units import ago


def test_they_are_counted(api: Api, database: Database, unit_id: Ids, work: Work) -> None:
    previewed(api.as_("phuongvi"), work, unit_id["phuongvi"], xlsx(HEADER, women(2)))
    merge: Json = {"op": "merge", "unit_ids": [unit_id["phuongvi"]]}
    merge |= {"into_id": unit_id["tienluong"]}
    body = {"effective_on": ago(0), "operations": [merge]}
    draft = made(api.as_("camkhe").post("/v1/reorganisations", json=body))
    seen = done(api.as_("phutho").get(f"/v1/reorganisations/{draft['id']}/preview"))
    assert seen["consequences"]["imports_waiting"] == 1
