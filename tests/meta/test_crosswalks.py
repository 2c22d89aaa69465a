"""Code lists on a day, and what codes of one edition became in another."""

import csv
import io
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.clock import local_today
from app.db import Database
from app.models.kernel.code_lists import CODE_LISTS, EthnicityCode
from app.services.meta.code_lists import earlier_editions
from app.services.poverty import standards
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api
from tests.helpers.reading import Reading
from tests.kernel.changes import done
from tests.reorganisations.branches import Branches
from tests.units.units import ago

LISTS = "/v1/code-lists"


def crosswalk(api: Api, name: str, **query: Any) -> list[Json]:
    """Its rows, page by page."""
    found: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = query | {"limit": 20} | ({"cursor": cursor} if cursor else {})
        page = done(api.get(f"{LISTS}/{name}/crosswalk", params=asked))
        found += page["items"]
        cursor = page["next_cursor"]
    return found


class TestLists(Reading):
    def test_each_has_its_edition_and_its_source(self, api: Api) -> None:
        lists = {each["name"]: each for each in done(api.as_("member").get(LISTS))["items"]}
        assert lists.keys() == CODE_LISTS.keys()
        ethnicity = lists["ethnicity"]
        assert (ethnicity["version"], ethnicity["valid_from"]) == ("2008", "2008-11-12")
        assert ethnicity["valid_to"] is None
        assert all(each["source"] for each in lists.values())

    @pytest.mark.parametrize(
        ("day", "version"),
        [
            ("1979-03-01", None),
            ("1979-03-02", "1979"),
            ("2008-11-11", "1979"),
            ("2008-11-12", "2008"),
        ],
    )
    def test_the_edition_is_that_of_the_day(self, api: Api, day: str, version: str | None) -> None:
        items = done(api.as_("member").get(LISTS, params={"as_of": day}))["items"]
        lists = {each["name"]: each for each in items}
        found = lists.get("ethnicity")
        assert (found and found["version"]) == version
        assert "gender" in lists  # ours, of no day
        if version == "1979":
            assert found is not None
            names = {item["code"]: item["vi"] for item in found["items"]}
            assert (names["04"], names["06"], len(names)) == ("Hoa", "Mường", 54)

    def test_as_a_file_it_has_a_row_for_each_code(self, api: Api) -> None:
        answer = api.as_("phuongvi").get(f"{LISTS}?format=csv&headings=api")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert len(rows) == sum(len(each.items) for each in CODE_LISTS.values())
        assert {row["list_name"] for row in rows} == CODE_LISTS.keys()
        [muong] = [r for r in rows if (r["list_name"], r["code"]) == ("ethnicity", "04")]
        assert (muong["vi"], muong["version"]) == ("Mường", "2008")

    def test_a_day_that_there_is_not_is_refused(self, api: Api) -> None:
        pointed(
            api.as_("member").get(LISTS, params={"as_of": "2024-02-30"}), "/as_of", "date_invalid"
        )


class TestEditions(Reading):
    def test_ethnic_groups_of_1979_go_to_the_group_of_their_name(self, api: Api) -> None:
        """A wrong number here would make Mường of Hoa: each name of the old list is understood as the
        group that its code goes to, and each group comes from one code."""
        rows = crosswalk(api.as_("member"), "ethnicity", **{"from": "1979", "to": "2008"})
        old = [row for row in rows if row["from_code"] is not None]
        understood = TypeAdapter(EthnicityCode).validate_python
        assert [row["from_code"] for row in old] == [f"{n:02}" for n in range(1, 55)]
        assert [understood(row["from_name"]) for row in old] == [row["to_code"] for row in old]
        assert len({row["to_code"] for row in old}) == 54
        by_code = {row["from_code"]: row for row in old}
        assert (by_code["06"]["to_code"], by_code["06"]["to_name"]) == ("04", "Mường")
        assert by_code["04"]["relation"] == "recoded"
        assert by_code["05"]["relation"] == "same"
        [foreign] = [row for row in rows if row["from_code"] is None]
        assert (foreign["relation"], foreign["to_code"]) == ("new", "55")

    def test_what_no_document_at_hand_states_is_marked(self, api: Api) -> None:
        rows = crosswalk(api.as_("member"), "ethnicity")
        assert {row["from_code"] for row in rows if row["confirmed"]} == {
            *(f"{n:02}" for n in range(1, 10)),
            None,
        }
        assert all("121-TCTK/PPCĐ" in row["source"] for row in rows)

    def test_there_and_back_is_where_one_was(self, api: Api) -> None:
        there = crosswalk(api.as_("member"), "ethnicity", **{"from": "1979", "to": "2008"})
        back = crosswalk(api.as_("member"), "ethnicity", **{"from": "2008", "to": "1979"})
        pairs = {(row["from_code"], row["to_code"]) for row in there}
        assert {(row["to_code"], row["from_code"]) for row in back} == pairs
        assert {r["relation"] for r in back if r["to_code"] is None} == {"ended"}
        same = crosswalk(api.as_("member"), "ethnicity", **{"from": "2008", "to": "2008"})
        assert {row["relation"] for row in same} == {"same"}

    def test_a_class_of_another_standard_is_another_class(self, api: Api) -> None:
        rows = crosswalk(api.as_("member"), "poverty_class", **{"from": "vn-2016", "to": "vn-2022"})
        assert {row["from_code"] for row in rows} == {"poor", "near_poor", "average", "not_poor"}
        assert all(row["from_code"] == row["to_code"] for row in rows)
        assert {row["relation"] for row in rows} == {"redefined"}
        assert {row["effective_on"] for row in rows} == {"2022-01-01"}

    def test_indicators_come_and_go(self, api: Api) -> None:
        first, second, _ = standards.catalogue().standards
        rows = crosswalk(
            api.as_("member"), "poverty_indicator", **{"from": first.id, "to": second.id}
        )
        old, new = ({each.code: each for each in of.indicators} for of in (first, second))
        found = {row["from_code"] or row["to_code"]: row for row in rows}
        assert found.keys() == old.keys() | new.keys()
        assert found["health_services"]["relation"] == "ended"
        assert found["nutrition"]["relation"] == "new"
        assert found["nutrition"]["confirmed"] is True
        for code in old.keys() & new.keys():
            alike = old[code].deprived_if_vi == new[code].deprived_if_vi
            assert found[code]["relation"] == ("same" if alike else "redefined")
            assert found[code]["confirmed"] == (old[code].confirmed and new[code].confirmed)

    @pytest.mark.parametrize("given", [{"from": "1999"}, {"to": "2030"}])
    def test_an_edition_that_there_is_not_is_refused_with_those_that_there_are(
        self, api: Api, given: Json
    ) -> None:
        [name] = given
        answer = api.as_("member").get(f"{LISTS}/ethnicity/crosswalk", params=given)
        pointed(answer, f"/{name}", "not_in_list")
        assert answer.json()["errors"][0]["allowed"] == ["1979", "2008"]

    def test_a_list_of_one_edition_has_no_crosswalk(self, api: Api) -> None:
        answer = api.as_("member").get(f"{LISTS}/religion/crosswalk")
        assert answer.status_code == 422, answer.text

    def test_files_of_editions_go_to_codes_of_ours(self) -> None:
        for edition in earlier_editions():
            ours = {item.code for item in CODE_LISTS[edition.of].items}
            codes = [item.code for item in edition.items]
            assert len(set(codes)) == len(codes)
            assert {item.became for item in edition.items} <= ours


class TestDaysOfUnits(Reading):
    def test_without_a_reorganisation_all_are_the_same(self, api: Api, unit_id: UnitIds) -> None:
        rows = crosswalk(api.as_("phutho"), "branch", **{"from": ago(30)})
        of_demo = {id_ for name, id_ in unit_id.items() if name[-1].isdigit()}
        assert {row["from_id"] for row in rows} == of_demo
        for row in rows:
            assert (row["relation"], row["from_id"]) == ("same", row["to_id"])
            assert (row["effective_on"], row["confirmed"]) == (None, True)

    def test_they_are_those_that_i_may_read(self, api: Api, unit_id: UnitIds) -> None:
        rows = crosswalk(api.as_("phuongvi"), "branch", **{"from": ago(30)})
        own = {id_ for name, id_ in unit_id.items() if name.startswith("phuongvi-")}
        assert {row["from_id"] for row in rows} == own

    @pytest.mark.parametrize(
        ("given", "pointer", "code"),
        [
            ({}, "/from", "required"),
            ({"from": "1979"}, "/from", "date_invalid"),
            ({"from": "2024-12-31", "to": "tomorrow"}, "/to", "date_invalid"),
            ({"from": "2025-07-01", "to": "2024-12-31"}, "/to", "range_reversed"),
            ({"from": "x" * 21}, "/from", "too_long"),
        ],
    )
    def test_days_that_are_none_are_refused(
        self, api: Api, given: Json, pointer: str, code: str
    ) -> None:
        answer = api.as_("phutho").get(f"{LISTS}/commune/crosswalk", params=given)
        pointed(answer, pointer, code)

    def test_who_reads_no_units_is_refused(self, api: Api) -> None:
        answer = api.as_("member").get(f"{LISTS}/commune/crosswalk", params={"from": ago(1)})
        assert refused(answer, 403, "forbidden")["required_right"] == "units:read"


def test_a_merged_branch_leads_to_its_heir(api: Api, database: Database, unit_id: UnitIds) -> None:
    branches = Branches(api, database, unit_id)
    draft = branches.merge()
    branches.apply(draft)
    officer = api.as_("phutho")
    rows = {
        row["from_id"]: row
        for row in crosswalk(officer, "branch", **{"from": ago(1), "to": ago(0)})
    }
    for old in (branches.gone, branches.heir):
        assert (rows[old]["relation"], rows[old]["to_id"]) == ("merged", branches.heir)
    assert rows[branches.gone]["effective_on"] == local_today().isoformat()
    assert rows[branches.heir]["effective_on"] is None
    other = rows[unit_id["phuongvi-3"]]
    assert (other["relation"], other["to_id"]) == ("same", unit_id["phuongvi-3"])
    # Before that day nothing has happened, and taken back nothing ever has.
    before = crosswalk(officer, "branch", **{"from": ago(2), "to": ago(1)})
    assert {row["relation"] for row in before} == {"same"}
    assert branches.revert(draft).status_code == 200
    again = crosswalk(officer, "branch", **{"from": ago(1), "to": ago(0)})
    assert {row["relation"] for row in again} == {"same"}


def test_a_renamed_unit_keeps_its_code_and_a_recoded_one_its_id(api: Api, unit_id: UnitIds) -> None:
    officer = api.as_("phutho")
    for unit, body in (
        (unit_id["phuongvi"], {"name": "Xã Phượng Vỹ"}),
        (unit_id["tienluong"], {"code": "08345"}),
    ):
        done(officer.patch(f"/v1/units/{unit}", json=body | {"effective_on": ago(0)}))
    rows = crosswalk(officer, "commune", **{"from": ago(1), "to": ago(0)})
    found = {row["from_id"]: row for row in rows}
    renamed, recoded = found[unit_id["phuongvi"]], found[unit_id["tienluong"]]
    assert (renamed["relation"], renamed["to_name"]) == ("renamed", "Xã Phượng Vỹ")
    assert renamed["from_code"] == renamed["to_code"] == "08356"
    assert (recoded["relation"], recoded["to_code"]) == ("recoded", "08345")
    assert recoded["to_id"] == unit_id["tienluong"]
    assert renamed["effective_on"] == recoded["effective_on"] == ago(0)
    file = officer.get(f"{LISTS}/commune/crosswalk?from={ago(1)}&format=csv&headings=api")
    [_, *lines] = file.content.decode("utf-8-sig").splitlines()
    assert sorted(line.split(",")[0] for line in lines) == ["recoded", "renamed"]
