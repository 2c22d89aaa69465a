"""The demo's plan: what it promises before any database is asked."""

import re
import unicodedata
from collections import Counter
from datetime import date

import pytest

from app.models.kernel.access import Role
from app.models.kernel.units import AreaType, UnitLevel
from app.models.members.members import Gender, MemberKind, Religion
from app.person_names import name_problem
from app.services.demo import rows
from app.services.demo.draws import AS_OF
from app.services.demo.people import DemoPerson
from app.services.demo.plan import DemoPlan, Scale, plan
from app.text import normalise_phone

# The communes of 2024 by their codes (domain facts, section 6), typed here a second time.
COMMUNES = {
    "08341": "Cẩm Khê",
    "08344": "Tiên Lương",
    "08347": "Tuy Lộc",
    "08350": "Ngô Xá",
    "08353": "Minh Tân",
    "08356": "Phượng Vĩ",
    "08362": "Thụy Liễu",
    "08374": "Tùng Khê",
    "08377": "Tam Sơn",
    "08380": "Văn Bán",
    "08383": "Cấp Dẫn",
    "08389": "Xương Thịnh",
    "08392": "Phú Khê",
    "08395": "Sơn Tình",
    "08398": "Yên Tập",
    "08401": "Hương Lung",
    "08404": "Tạ Xá",
    "08407": "Phú Lạc",
    "08413": "Chương Xá",
    "08416": "Hùng Việt",
    "08419": "Văn Khúc",
    "08422": "Yên Dưỡng",
    "08428": "Điêu Lương",
    "08431": "Đồng Lương",
}
FOUNDED_2020 = {"08341", "08353", "08416"}


@pytest.fixture(scope="module")
def district() -> DemoPlan:
    return plan(Scale.district)


@pytest.fixture(scope="module")
def people(district: DemoPlan) -> list[DemoPerson]:
    return [person for unit in district.units for person in district.people(unit)]


def share(people: list[DemoPerson], those: list[DemoPerson]) -> float:
    return len(those) / len(people)


class TestUnits:
    def test_communes_are_those_of_2024(self, district: DemoPlan) -> None:
        communes = district.at(UnitLevel.commune)
        assert {
            unit.code: re.sub("^(Xã|Thị trấn) ", "", unit.name) for unit in communes
        } == COMMUNES
        assert [unit.name for unit in communes if unit.area_type is AreaType.urban] == [
            "Thị trấn Cẩm Khê"
        ]
        founded = {unit.code for unit in communes if unit.opened_on == date(2020, 1, 1)}
        assert founded == FOUNDED_2020

    def test_province_and_district_have_their_codes(self, district: DemoPlan) -> None:
        assert [(unit.level, unit.code) for unit in district.units[:3]] == [
            (UnitLevel.central, None),
            (UnitLevel.province, "25"),
            (UnitLevel.district, "235"),
        ]

    def test_a_commune_numbers_its_8_to_14_branches(self, district: DemoPlan) -> None:
        branches = district.at(UnitLevel.branch)
        assert len(branches) == 257
        names: dict[str, list[str]] = {}
        for branch in branches:
            assert branch.parent is not None
            names.setdefault(branch.parent.slug, []).append(branch.name)
        for found in names.values():
            assert 8 <= len(found) <= 14
            assert found == [f"Chi hội khu {number}" for number in range(1, len(found) + 1)]

    def test_branches_are_of_all_sizes_and_add_up(self, district: DemoPlan) -> None:
        sizes = [branch.members for branch in district.at(UnitLevel.branch)]
        assert sum(sizes) == district.members == 23_100
        assert 30 <= min(sizes) < 50
        assert 170 < max(sizes) <= 200

    def test_ids_are_unique_and_parents_come_first(self, district: DemoPlan) -> None:
        seen = set[int]()
        for unit in district.units:
            assert unit.id not in seen
            assert unit.parent is None or unit.parent.id in seen
            seen.add(unit.id)

    def test_closure_holds_every_ancestor_since_both_exist(self, district: DemoPlan) -> None:
        branch = next(unit for unit in district.units if unit.slug == "minhtan-1")
        found = list(rows.closure_rows(branch))
        assert [row["ancestor_id"] for row in found] == [unit.id for unit in branch.path]
        assert [row["depth"] for row in found] == [0, 1, 2, 3, 4]
        assert {row["valid_from"] for row in found} == {date(2020, 1, 1)}

    def test_small_is_two_communes_of_four_branches(self) -> None:
        small = plan(Scale.small)
        assert [unit.slug for unit in small.at(UnitLevel.commune)] == ["tienluong", "phuongvi"]
        assert len(small.at(UnitLevel.branch)) == 8
        assert small.members == 400

    def test_province_adds_communes_nobody_takes_for_real(self, district: DemoPlan) -> None:
        province = plan(Scale.province)
        [known, same] = [
            [(unit.id, unit.slug, unit.name, unit.members) for unit in each.units[1:]]
            for each in (district, province)
        ]
        assert same[: len(known)] == known
        assert len(province.at(UnitLevel.commune)) == 165
        assert province.members == 1_000_000
        added = province.units[len(district.units) :]
        assert all(unit.code is None for unit in added)
        assert all("mẫu" in unit.path[-3].name for unit in added)
        assert all(30 <= unit.members <= 500 for unit in province.at(UnitLevel.branch))

    def test_the_nation_has_as_many_of_each_as_the_nation(self, district: DemoPlan) -> None:
        nation = plan(Scale.nation)
        assert len(nation.at(UnitLevel.province)) == 34
        assert len(nation.at(UnitLevel.commune)) == 3_321
        assert len(nation.at(UnitLevel.branch)) == 110_000
        assert nation.members == 19_000_000
        assert [unit.slug for unit in nation.at(UnitLevel.district)] == ["camkhe"]
        assert len(nation.units[-1].path) == 4
        [known, same] = [
            [(unit.slug, unit.members) for unit in each.units[: len(district.units)]]
            for each in (district, nation)
        ]
        assert same == known
        some = plan(Scale.nation, provinces=2)
        assert [unit.name for unit in some.at(UnitLevel.province)] == [
            "Tỉnh Phú Thọ",
            "Tỉnh mẫu 02",
        ]
        assert [unit.members for unit in some.units] == [
            unit.members for unit in nation.units[: len(some.units)]
        ]


def planned_at(scale: Scale) -> DemoPlan:
    """Of the nation a part: its communes are all alike."""
    return plan(scale, provinces=2 if scale is Scale.nation else None)


class TestPeople:
    def test_same_seed_same_people(self, people: list[DemoPerson]) -> None:
        again = plan(Scale.district)
        some = [person for unit in again.units[:50] for person in again.people(unit)]
        assert some == people[: len(some)]
        other, first = plan(Scale.small, seed=1), plan(Scale.small)
        assert other.people(other.units[-1]) != first.people(first.units[-1])

    def test_names_are_clean_and_vietnamese(self, people: list[DemoPerson]) -> None:
        for name in {person.full_name for person in people}:
            assert unicodedata.is_normalized("NFC", name)
            assert name_problem(name) is None
            assert 3 <= len(name.split()) <= 4

    def test_surnames_are_as_frequent_as_in_life(self, people: list[DemoPerson]) -> None:
        surnames = Counter(person.full_name.split()[0] for person in people)
        assert 0.34 < surnames["Nguyễn"] / len(people) < 0.41
        assert 0.08 < surnames["Trần"] / len(people) < 0.13
        assert [name for name, _ in surnames.most_common(3)] == ["Nguyễn", "Trần", "Lê"]

    def test_given_names_follow_the_year_of_birth(self, people: list[DemoPerson]) -> None:
        def called(name: str, born: range) -> float:
            cohort = [person for person in people if person.birth_year in born]
            return share(cohort, [p for p in cohort if p.full_name.endswith(f" {name}")])

        old, young = range(1900, 1960), range(1995, 2010)
        assert called("Lan", old) > called("Lan", young)
        assert called("Linh", young) > 0.02
        assert called("Linh", old) == 0

    def test_men_are_honorary_members(self, people: list[DemoPerson]) -> None:
        honorary = [person for person in people if person.kind is MemberKind.honorary]
        men = [person for person in people if person.gender is Gender.male]
        assert 0.007 < share(people, honorary) < 0.013
        assert 0.4 < share(honorary, men) < 0.6
        assert set(men) <= set(honorary)

    def test_ethnicity_and_religion(self, people: list[DemoPerson]) -> None:
        ethnicities = Counter(person.ethnicity for person in people)
        assert 0.95 < ethnicities["01"] / len(people) < 0.97
        assert set(ethnicities) == {"01", "02", "03", "04", "09"}
        assert ethnicities.most_common(2)[1][0] == "04"
        catholics = [person for person in people if person.religion is Religion.catholic]
        assert 0.26 < share(people, catholics) < 0.285
        assert share(catholics, [p for p in catholics if p.ethnicity == "01"]) > 0.96
        assert any(person.religion is Religion.undeclared for person in people)

    def test_many_birth_dates_are_partial(self, people: list[DemoPerson]) -> None:
        precision = Counter(len(person.birth_date) for person in people)
        assert 0.10 < precision[4] / len(people) < 0.15
        assert 0.02 < precision[7] / len(people) < 0.05
        assert set(precision) == {4, 7, 10}
        assert all(person.birth_date[:4] == str(person.birth_year) for person in people)

    def test_ages_are_18_to_90_mostly_30_to_65(self, people: list[DemoPerson]) -> None:
        whole = [p for p in people if len(p.birth_date) == 10]
        ages = [AS_OF.year - p.birth_year - (f"{AS_OF:-%m-%d}" < p.birth_date[4:]) for p in whole]
        assert 18 <= min(ages) <= 19
        assert 85 <= max(ages) <= 90
        assert 0.7 < sum(30 <= age <= 65 for age in ages) / len(ages) < 0.85

    def test_nobody_joined_before_18_or_after_the_day_described(
        self, people: list[DemoPerson]
    ) -> None:
        unknown = [person for person in people if person.joined_on is None]
        assert 0.04 < share(people, unknown) < 0.06
        for person in people:
            if person.joined_on is not None:
                year, rest = person.birth_date[:4], person.birth_date[4:]
                assert person.joined_on <= AS_OF.isoformat()
                assert person.joined_on >= f"{int(year) + 18}{rest}"

    def test_phones_are_valid_and_often_shared(
        self, district: DemoPlan, people: list[DemoPerson]
    ) -> None:
        sharing = 0
        for branch in district.at(UnitLevel.branch):
            phones = Counter(person.phone for person in district.people(branch) if person.phone)
            sharing += sum(uses for uses in phones.values() if uses > 1)
        assert 0.17 < sharing / len(people) < 0.23
        assert 0.07 < share(people, [p for p in people if p.phone is None]) < 0.09
        for phone in {person.phone for person in people[:2_000] if person.phone}:
            assert normalise_phone(phone) == phone


class TestAccounts:
    @pytest.mark.parametrize("scale", Scale)
    def test_names_are_unique_and_every_branch_has_one_head(self, scale: Scale) -> None:
        planned = planned_at(scale)
        accounts = [account for unit in planned.units for account in unit.accounts]
        assert len({account.username for account in accounts}) == len(accounts)
        heads = Counter(account.unit for account in accounts if account.role is Role.branch_head)
        assert heads == Counter(unit.slug for unit in planned.at(UnitLevel.branch))

    @pytest.mark.parametrize("scale", Scale)
    def test_the_accounts_of_the_readme_are_there(self, scale: Scale) -> None:
        units = planned_at(scale).units
        roles = {account.username: account.role for unit in units for account in unit.accounts}
        assert (
            roles.items()
            >= {
                "phutho": Role.province_officer,
                "camkhe": Role.district_officer,
                "phuongvi": Role.commune_officer,
                "tienluong": Role.commune_officer,
                "phuongvi-1": Role.branch_head,
                "phuongvi-2": Role.branch_head,
                "tienluong-1": Role.branch_head,
                "auditor": Role.auditor,
                "admin": Role.admin,
                "member": Role.member,
            }.items()
        )
