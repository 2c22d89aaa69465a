"""Definitions of figures: what is refused at the start, and how clients see them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.services.capabilities import CAPABILITIES
from app.services.figures import definitions
from app.services.kernel import refusals
from app.services.kernel.manifest import Manifest
from app.services.kernel.refusals import BadCapability
from tests.helpers.client import Api
from tests.helpers.reading import Reading


def changed(folder: Path, which: str, **fields: Any) -> None:
    """The figure with these fields; None takes one away."""
    definitions._file.cache_clear()
    path = folder / "members.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    figure = next(each for each in content["figures"] if each["code"] == which)
    figure |= fields
    for name in [name for name, value in fields.items() if value is None]:
        del figure[name]
    path.write_text(yaml.safe_dump(content), "utf-8")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rows": "people"}, "its capability has no rows 'people'"),
        ({"where": {"age_band": "old"}}, "the rows 'members' have no column 'age_band'"),
        ({"across": True}, "the rows 'members' have no column 'other_unit_id'"),
        ({"counts": "sum", "amount": "shoes"}, "have no column 'shoes'"),
        ({"counts": "sum"}, "an amount is said of a sum"),
        ({"counts": None}, "what counts is said of rows"),
        ({"formula": "members.total"}, "either rows or a formula"),
        ({"kind": "flow"}, "a flow is no number of today on a page"),
        ({"unit": "donkey"}, "unit"),
        ({"colour": "red"}, "colour"),
        ({"code": "Total"}, "code"),
        ({"code": "members.women", "version": 2}, "hold on one day"),
    ],
)
def test_a_bad_one_is_refused_with_its_file(
    folder: Path, fields: dict[str, Any], says: str
) -> None:
    changed(folder, "members.total", **fields)
    with pytest.raises(BadCapability) as refusal:
        refusals.check(Manifest(CAPABILITIES))
    assert "app/data/figures" in str(refusal.value)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("members.women +", "is no formula"),
        ("members.women ** 2", "is not understood"),
        ("members.children", "there is no figure 'members.children'"),
        ("members.total + 1", "its formula leads back to itself"),
    ],
)
def test_a_bad_formula_is_refused(folder: Path, formula: str, says: str) -> None:
    changed(folder, "members.total", rows=None, counts=None, formula=formula)
    with pytest.raises(BadCapability, match=r"members\.total") as refusal:
        refusals.check(Manifest(CAPABILITIES))
    assert says in str(refusal.value)


def test_a_formula_lasts_no_longer_than_what_it_names(folder: Path) -> None:
    changed(folder, "members.party", valid_to="2026-06-30")
    other = {"where": None, "rows": None, "counts": None, "formula": "members.party"}
    changed(folder, "members.honorary", **other)
    with pytest.raises(BadCapability, match=r"there is no figure 'members.party' on all its days"):
        refusals.check(Manifest(CAPABILITIES))
    changed(folder, "members.honorary", valid_to="2026-06-30")
    refusals.check(Manifest(CAPABILITIES))


def test_a_file_that_is_missing_is_named(folder: Path) -> None:
    (folder / "support.yaml").unlink()
    with pytest.raises(BadCapability, match=r"app/data/figures/support.yaml"):
        refusals.check(Manifest(CAPABILITIES))


def test_a_rule_changes_with_its_version(folder: Path, api: Api) -> None:
    path = folder / "members.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    old = next(each for each in content["figures"] if each["code"] == "members.core")
    old["valid_to"] = "2026-06-30"
    content["figures"].append(
        {key: value for key, value in old.items() if key != "valid_to"}
        | {"version": 2, "valid_from": "2026-07-01", "where": {"kind": "regular", "core": True}}
    )
    path.write_text(yaml.safe_dump(content), "utf-8")
    refusals.check(Manifest(CAPABILITIES))
    officer = api.as_("phuongvi")
    for day, version in (("2026-06-30", 1), ("2026-07-01", 2)):
        answer = officer.get(f"/v1/figure-definitions?on={day}&limit=200")
        found = {each["code"]: each["version"] for each in answer.json()["items"]}
        assert found["members.core"] == version


class TestList(Reading):
    def test_tells_what_is_counted_and_how(self, api: Api) -> None:
        answer = api.as_("phuongvi-1").get("/v1/figure-definitions?limit=200")
        assert answer.status_code == 200, answer.text
        found = {each["code"]: each for each in answer.json()["items"]}
        people = found["attendance.people"]
        assert people["unit"] == "person"
        assert (people["kind"], people["deduplication"], people["formula"]) == (
            "flow",
            "distinct",
            None,
        )
        assert found["attendance.participations"]["unit"] == "participation"
        assert found["attendance.participations"]["deduplication"] == "rows"
        rate = found["poverty.poor_rate"]
        assert (rate["unit"], rate["places"], rate["deduplication"]) == ("percent", 2, None)
        kept = {code for code, each in found.items() if each["rolled_up"]}
        assert {"members.total", "attendance.people", "movement.left", "loans.borrowers"} <= kept
        assert not {"movement.net", "movement.transferred_in"} & kept
        assert rate["formula"] == "100 * poverty.poor / households.total"
        assert all(each["rule_vi"] and each["rule_en"] for each in found.values())

    def test_needs_an_account(self, api: Api) -> None:
        assert api.get("/v1/figure-definitions").status_code == 401
