"""Checks of figures against each other: what does not agree, what is missing, and who gets which."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.members.members import Member, Religion
from app.services.capabilities import CAPABILITIES
from app.services.figures import definitions, wording
from app.services.kernel import refusals
from app.services.kernel.manifest import Manifest
from app.services.kernel.refusals import BadCapability
from tests.figures.test_figures import asked
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import members_of
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home
from tests.helpers.reading import Reading
from tests.members.test_member_counts import attribute

DAY = timedelta(days=1)
BRANCHES = ("phuongvi-1", "phuongvi-2", "phuongvi-3", "phuongvi-4")
WOMEN = "women.members_in_area"


def checks(api: Api, unit: int, **more: Any) -> dict[str, Json]:
    answer = api.get("/v1/figure-checks", params={"unit": unit, "limit": 200} | more)
    assert answer.status_code == 200, answer.text
    return {each["check"]: each for each in answer.json()["items"]}


def failed(api: Api, unit: int) -> list[Json]:
    answer = api.get(f"/v1/units/{unit}/overview")
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["failed_checks"]
    return found


def count_women(api: Api, branch: int, women: int) -> None:
    body = {"branch_id": branch, "as_of": local_today().isoformat(), "women": women}
    answer = api.post("/v1/women-counts", json=body)
    assert answer.status_code == 201, answer.text


def with_check(folder: Path, **fields: Any) -> None:
    """A check of the members beside those that are there; None takes a field away."""
    definitions._file.cache_clear()
    path = folder / "members.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    text = {"vi": "Có {left}, phải là {right}.", "en": "{left} is not {right}."}
    check = {
        "code": "members.extra",
        "version": 1,
        "valid_from": "1930-10-20",
        "name": {"vi": "Thử", "en": "Trial"},
        "condition": "members.core <= members.total",
        "severity": "warning",
        "fails": text,
    }
    check |= fields
    content["checks"].append({name: value for name, value in check.items() if value is not None})
    path.write_text(yaml.safe_dump(content), "utf-8")


class TestRead(Reading):
    @pytest.mark.parametrize("period", ["2025", "2024-06", None])
    def test_what_agrees_holds_with_its_numbers(
        self, api: Api, unit_id: UnitIds, period: str | None
    ) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        more = {} if period is None else {"period": period}
        found = checks(officer, commune, **more)
        sure = {"members.core_in_total", "members.ages_in_total", "movement.balance"}
        assert {found[code]["result"] for code in sure} == {"holds"}
        core = found["members.core_in_total"]
        codes = "members.core,members.total"
        numbers = [each["value"] for each in asked(officer, commune, codes, **more)]
        assert [core["left"], core["right"]] == numbers
        assert [each["value"] for each in core["terms"]] == numbers
        assert (core["text_vi"], core["text_en"], core["missing"]) == (None, None, [])
        assert core["severity"] == "error"

    def test_the_change_of_the_members_is_between_both_ends(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        district = api.as_("camkhe"), unit_id["camkhe"]
        period = "2000-01-01..2025-12-31"
        balance = checks(*district, period=period)["movement.balance"]
        assert [(each["indicator"], each["last_day"]) for each in balance["terms"]] == [
            ("members.total", "1999-12-31"),
            ("members.total", "2025-12-31"),
            ("movement.net", "2025-12-31"),
        ]
        before, after, net = [each["value"] for each in balance["terms"]]
        assert (balance["left"], balance["right"]) == (net, after - before)
        assert before < after

    def test_before_all_rules_nothing_is_known(self, api: Api, unit_id: UnitIds) -> None:
        balance = checks(api.as_("phuongvi"), unit_id["phuongvi"], period="1930")[
            "movement.balance"
        ]
        assert (balance["result"], balance["missing"]) == ("unknown", ["members.total"])
        assert balance["text_vi"].endswith("chưa có số liệu: Hội viên vào ngày trước kỳ.")

    def test_what_is_not_known_is_named(self, api: Api, unit_id: UnitIds) -> None:
        found = checks(api.as_("phuongvi"), unit_id["phuongvi"])
        loans = found["loans.outstanding_has_borrowers"]
        assert (loans["result"], loans["left"], loans["right"]) == ("unknown", None, None)
        assert loans["missing"] == ["loans.borrowers", "loans.outstanding_vnd"]
        assert loans["text_vi"].startswith("Chưa kiểm tra được vì chưa có số liệu: Người vay")
        women = found[WOMEN]
        assert (women["result"], women["missing"]) == ("unknown", ["women.adult"])

    def test_those_of_a_result_alone(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        every = checks(officer, commune)
        unknown = checks(officer, commune, result="unknown")
        assert {WOMEN} < unknown.keys() < every.keys()
        assert unknown == {code: every[code] for code in unknown}
        assert checks(officer, commune, result="fails") == {}
        assert failed(officer, commune) == []

    def test_as_a_file(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/figure-checks?unit={unit_id['phuongvi']}&format=csv"
        answer = api.as_("phuongvi").get(path)
        assert answer.status_code == 200, answer.text
        assert "Nội dung đối chiếu" in answer.text.splitlines()[0]
        assert len(answer.text.strip().splitlines()) == 1 + len(
            checks(api.as_("phuongvi"), unit_id["phuongvi"])
        )

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("period=2025-13", "period_invalid"),
            ("period=2999", "date_in_future"),
            ("hierarchy=as_planned", "hierarchy_invalid"),
            ("result=perhaps", "not_in_list"),
        ],
    )
    def test_a_bad_parameter_is_named(
        self, api: Api, unit_id: UnitIds, query: str, code: str
    ) -> None:
        answer = api.as_("phuongvi").get(f"/v1/figure-checks?unit={unit_id['phuongvi']}&{query}")
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert error["code"] == code
        assert error["pointer"] == f"/{query.split('=', maxsplit=1)[0]}"

    def test_out_of_scope_reads_like_none(self, api: Api, unit_id: UnitIds) -> None:
        for unit in (unit_id["tienluong-1"], 999_999):
            answer = api.as_("phuongvi-1").get(f"/v1/figure-checks?unit={unit}")
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["code"] == "unit_unknown"
        path = f"/v1/figure-checks?unit={unit_id['phuongvi']}"
        nothing = api.as_("admin").get(path).json()
        assert (nothing["items"], WOMEN in nothing["left_out"]) == ([], True)
        assert api.get(path).status_code == 401

    def test_checks_of_what_one_may_not_see_are_left_out(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/figure-checks?unit={unit_id['phuongvi']}"
        body = api.as_("auditor").get(path).json()
        hidden = {"poverty.classes_in_households", "loans.outstanding_has_borrowers"}
        assert hidden <= set(body["left_out"])
        shown = {each["check"] for each in body["items"]}
        assert "movement.balance" in shown
        assert not shown & set(body["left_out"])
        assert api.as_("phuongvi").get(path).json()["left_out"] == []


class TestFailing:
    def test_what_does_not_agree_says_so_in_words(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        for each in BRANCHES[:3]:
            count_women(officer, unit_id[each], 1)
        # Of a part of the branches one cannot tell.
        women = checks(officer, commune)[WOMEN]
        assert (women["result"], women["missing"]) == ("unknown", [])
        assert women["text_vi"].startswith("Chưa kiểm tra được vì còn chi hội chưa nhập")
        assert failed(officer, commune) == []
        count_women(officer, unit_id[BRANCHES[3]], 1_097)
        [members] = [each["value"] for each in asked(officer, commune, "members.women")]
        assert checks(officer, commune)[WOMEN]["result"] == "holds"

        branch = unit_id["phuongvi-1"]
        [hers] = [each["value"] for each in asked(officer, branch, "members.women")]
        found = checks(officer, branch)[WOMEN]
        assert (found["result"], found["left"], found["right"]) == ("fails", hers, 1)
        assert found["text_vi"].startswith(
            f"Số hội viên nữ ({hers}) nhiều hơn số phụ nữ từ 18 tuổi"
        )
        assert found["text_en"].startswith(f"There are more women members ({hers}) than women")
        [shown] = failed(officer, branch)
        month = checks(officer, branch, period=f"{local_today():%Y-%m}")[WOMEN]
        assert shown == {name: month[name] for name in shown}
        assert checks(officer, branch, result="fails").keys() == {WOMEN}
        assert members > hers
        # Of the head's own branch, and of no other.
        assert failed(api.as_("phuongvi-1"), branch) == [shown]
        assert failed(api.as_("phuongvi-2"), unit_id["phuongvi-2"]) != [shown]

    def test_more_poor_households_than_households(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        for code in ("poor", "near_poor"):
            decide(database, home(database, branch), code, "2026-01-15")
        found = checks(officer, branch)["poverty.classes_in_households"]
        assert (found["result"], found["left"], found["right"]) == ("holds", 2, 2)

    def test_loans_without_a_borrower(self, api: Api, unit_id: UnitIds) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        body = {"unit_id": branch, "scheme": "vbsp", "as_of": local_today().isoformat()}
        body |= {"source": "NHCSXH", "groups": 1, "borrowers": 0, "outstanding_vnd": 5_000_000}
        assert officer.post("/v1/loan-figures", json=body).status_code == 201
        [shown] = failed(officer, branch)
        assert (shown["check"], shown["severity"]) == (
            "loans.outstanding_has_borrowers",
            "warning",
        )
        assert shown["text_vi"].startswith("Có dư nợ nhưng số người vay bằng 0")

    def test_moves_of_members_and_branches_keep_the_balance(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        """Both ends are counted in one tree, so that a branch that moved is no gain of members."""
        her = members_of(database, unit_id["phuongvi-2"])[0]
        officer = api.as_("camkhe")
        to = {"to_branch_id": unit_id["tienluong-1"]}
        assert officer.post(f"/v1/members/{her}/transfers", json=to).is_success
        body = {"parent_id": unit_id["tienluong"], "effective_on": local_today().isoformat()}
        path = f"/v1/units/{unit_id['phuongvi-1']}/moves"
        assert api.as_("phutho").post(path, json=body).is_success
        for unit in ("phuongvi", "tienluong", "camkhe", "phuongvi-2", "tienluong-1"):
            for hierarchy in ("as_was", "as_is"):
                found = checks(officer, unit_id[unit], hierarchy=hierarchy)["movement.balance"]
                assert found["result"] == "holds", (unit, hierarchy, found)


class TestDefined:
    def test_the_tolerance_is_allowed(self, folder: Path, api: Api, unit_id: UnitIds) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        [total] = [each["value"] for each in asked(officer, branch, "members.total")]
        for code, tolerance in (("members.within", total), ("members.beyond", total - 1)):
            with_check(folder, code=code, condition="members.total == 0", tolerance=tolerance)
        refusals.check(Manifest(CAPABILITIES))
        found = checks(officer, branch)
        results = found["members.within"]["result"], found["members.beyond"]["result"]
        assert results == ("holds", "fails")
        assert found["members.beyond"]["text_vi"] == f"Có {total}, phải là 0."
        assert found["members.beyond"]["tolerance"] == total - 1

    def test_there_is_nothing_to_divide_by(self, folder: Path, api: Api, unit_id: UnitIds) -> None:
        with_check(folder, condition="members.total / households.total <= 5")
        found = checks(api.as_("phuongvi"), unit_id["phuongvi-1"])["members.extra"]
        assert (found["result"], found["missing"]) == ("unknown", [])
        assert found["text_vi"] == "Chưa đủ số liệu để kiểm tra."

    def test_holds_from_its_day_to_its_day(self, folder: Path, api: Api, unit_id: UnitIds) -> None:
        with_check(folder, valid_from="2025-01-01", valid_to="2025-06-30", severity="error")
        with_check(folder, valid_from="2025-07-01", version=2)
        refusals.check(Manifest(CAPABILITIES))
        for period, version in (("2024", None), ("2025-H1", 1), ("2025-H2", 2)):
            found = checks(api.as_("phuongvi"), unit_id["phuongvi"], period=period)
            assert found.get("members.extra", {}).get("version") == version

    def test_rounded_figures_say_nothing_of_the_exact_ones(
        self, folder: Path, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        branch = unit_id["phuongvi-1"]
        with writing(database) as session:
            attribute(session)
            rows = session.exec(select(Member).where(col(Member.branch_id) == branch)).all()
            for row in rows:
                row.religion = Religion.catholic
        with_check(folder, condition="members.religious <= 20")
        exact = checks(api.as_("phuongvi"), branch)["members.extra"]
        assert (exact["result"], exact["left"]) == ("fails", len(rows))
        head = checks(api.as_("phuongvi-1"), branch)["members.extra"]
        assert (head["result"], head["left"], head["right"]) == ("withheld", None, None)
        assert head["text_vi"].endswith("Hội viên theo tôn giáo.")
        assert failed(api.as_("phuongvi-1"), branch) == []
        assert len(failed(api.as_("phuongvi"), branch)) == 1

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"condition": "members.core <"}, "is no formula"),
            ({"condition": "members.core"}, "does not compare"),
            ({"condition": "members.core < 3"}, "does not compare"),
            ({"condition": "members.horses <= 3"}, "there is no figure 'members.horses'"),
            ({"condition": "before.movement.net <= 3"}, "is of a flow"),
            ({"tolerance": -1}, "tolerance"),
            ({"severity": "deadly"}, "severity"),
            ({"fails": {"vi": "{left} và {middle}", "en": "{left}"}}, "has other places"),
            ({"fails": {"vi": "{left", "en": "{left}"}}, "has other places"),
            ({"fails": None}, "fails"),
            ({"colour": "red"}, "colour"),
            ({"code": "members.core_in_total", "version": 2}, "hold on one day"),
        ],
    )
    def test_a_bad_one_is_refused_with_its_file(
        self, folder: Path, fields: dict[str, Any], says: str
    ) -> None:
        with_check(folder, **fields)
        with pytest.raises(BadCapability) as refusal:
            refusals.check(Manifest(CAPABILITIES))
        assert "app/data/figures" in str(refusal.value)
        assert says in str(refusal.value)

    def test_words_that_are_missing_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = yaml.safe_load(wording.FILE.read_text("utf-8"))
        del content["checks"]
        file = tmp_path / "wording.yaml"
        file.write_text(yaml.safe_dump(content), "utf-8")
        monkeypatch.setattr(wording, "FILE", file)
        wording._texts.cache_clear()
        try:
            with pytest.raises(
                BadCapability, match=r"app/data/figures/wording.yaml: [^;]*\nchecks"
            ):
                refusals.check(Manifest(CAPABILITIES))
        finally:
            wording._texts.cache_clear()
