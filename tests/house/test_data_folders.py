"""A server's own folders of dated data: two servers in one process have theirs each."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from app.api.http.server import serving
from app.clock import local_today
from app.data_files import DATA, load
from app.db import Database
from app.main import create_app
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import UnitLevel, UnitMove
from app.services.kernel import changes
from app.services.reorganisations import acts
from app.services.units import roots
from tests.conftest import make_settings
from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.helpers.rows import member_of
from tests.units.test_units_history import officer as officer_of_all

OVERRIDE = """
id: phutho-2025
version: 1
overrides: vn-2022
province: "25"
source: "An example"
valid_from: 2025-01-01
valid_to: 2025-12-31
income_lines: {rural: {poor: 1600000}}
"""
IN_FORCE = "/v1/poverty-standards?on=2025-06-01&unit={unit_id}"


@pytest.fixture
def own(database: Database, tmp_path: Path) -> Iterator[Api]:
    """A server on the same database with folders of its own: 3 days, and a line of 1,600,000."""
    deadlines = load(DATA / "privacy" / "deadlines.yaml")
    deadlines["source"] = "announced"
    deadlines["versions"][0]["days"]["access"] = 3
    privacy, poverty = tmp_path / "privacy", tmp_path / "poverty"
    privacy.mkdir()
    poverty.mkdir()
    (privacy / "deadlines.yaml").write_text(yaml.safe_dump(deadlines), "utf-8")
    (poverty / "phutho.yaml").write_text(OVERRIDE, "utf-8")
    settings = make_settings(
        database.settings.database_url, privacy_rules_dir=privacy, poverty_dir=poverty
    )
    app = create_app(settings)
    yield Api(app)
    serving(app).database.close()


@pytest.fixture
def member_id(database: Database) -> str:
    return member_of(database, "member")


def test_of_privacy(api: Api, own: Api, member_id: str) -> None:
    received = local_today() - timedelta(days=1)
    for server, kind, days in ((api, "restrict", 15), (own, "access", 3), (api, "rectify", 10)):
        officer = server.as_("phuongvi")
        rules = officer.get("/v1/privacy/rules").json()
        assert (rules["deadlines_source"] == "announced") is (server is own)
        assert rules["holidays"]  # what is not in the folder is ours
        assert officer.get("/v1/privacy/purposes").json()["items"]
        sent = {"kind": kind, "channel": "paper", "received_on": received.isoformat()}
        made = officer.post(f"/v1/members/{member_id}/privacy-requests", json=sent)
        assert made.status_code == 201, made.text
        assert date.fromisoformat(made.json()["due_on"]) - received == timedelta(days=days)


def test_of_poverty(api: Api, own: Api, unit_id: dict[str, int]) -> None:
    path = IN_FORCE.format(unit_id=unit_id["phuongvi-1"])
    for server, line in ((api, 1_500_000), (own, 1_600_000), (api, 1_500_000)):
        [item] = server.as_("phuongvi-1").get(path).json()["items"]
        assert (item["id"], item["income_lines"]["rural"]["poor"]) == ("vn-2022", line)


def test_the_law_of_a_household_is_that_of_its_place_on_the_day(
    own: Api, database: Database, unit_id: dict[str, int]
) -> None:
    """Its commune goes to another province: what was found before is judged by the old one's line."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        other = roots.plant(
            session,
            level=UnitLevel.province,
            name="Tỉnh Khác",
            code="26",
            opened_on=date(1997, 1, 1),
        )
        body = UnitMove(parent_id=other, effective_on=date(2025, 7, 1))
        acts.move(session, officer_of_all(unit_id["phutho"]), unit_id["phuongvi"], body)
    officer = own.as_("phuongvi")
    head = {"full_name": "Hà Thị Bình", "relation": "head"}
    home = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2024-01-01", "people": [head]}
    path = f"/v1/households/{officer.post('/v1/households', json=home).json()['id']}"
    deprived = dict.fromkeys(("employment", "water", "sanitation"), True)
    codes = [each["code"] for each in in_force(officer, unit_id)["indicators"]]
    found = {"income_per_person": 1_550_000, "source": "union_visit"}
    found |= {"answers": dict.fromkeys(codes, False) | deprived}
    for day, class_ in (("2025-05-01", "poor"), ("2025-08-01", "average")):
        answer = officer.post(f"{path}/assessments", json=found | {"assessed_on": day})
        assert (answer.status_code, answer.json()["class"]) == (201, class_), answer.text
    decided = {"class": "poor", "decision_number": "1", "decided_on": "2025-05-02"}
    decided |= {"valid_from": "2025-05-02"}
    assert officer.post(f"{path}/poverty-status", json=decided).status_code == 201
    then = officer.get(f"{path}?as_of=2025-06-30").json()
    assert (then["province_id"], then["commune_id"]) == (unit_id["phutho"], unit_id["phuongvi"])
    assert officer.get(path).json()["province_id"] == other
    # What holds in a unit on a day is what its province of that day has set.
    assert in_force(officer, unit_id)["income_lines"]["rural"]["poor"] == 1_600_000


def in_force(api: Api, unit_id: dict[str, int]) -> Json:
    [item] = api.get(IN_FORCE.format(unit_id=unit_id["phuongvi-1"])).json()["items"]
    found: Json = item
    return found
