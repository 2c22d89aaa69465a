"""The matcher: what makes a candidate, what does not, and what a set of people costs."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.duplicates.duplicates import REASONS, Reason
from app.models.members.members import Member
from app.services.duplicates import matching, scores
from app.services.duplicates.compared import SUGGESTED, Candidate, ComparedPerson
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api, counted, writing

R = Reason


def of(database: Database, *people: ComparedPerson) -> list[list[Candidate]]:
    with database.reading() as db:
        return matching.match_many(db, people)


def reasons(found: Sequence[Candidate], member_id: str | UUID) -> set[Reason]:
    [candidate] = [each for each in found if str(each.member_id) == str(member_id)]
    assert candidate.score == scores.score_of(candidate.reasons) >= SUGGESTED
    return set(candidate.reasons)


@pytest.fixture
def here(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


@pytest.fixture
def known(api: Api, here: int) -> str:
    """On record: a name, a whole date of birth, a phone, a citizen id and a card."""
    answer = api.as_("phuongvi").post(
        "/v1/members",
        json={
            "branch_id": here,
            "full_name": "Đặng Thị Kim Thoa",
            "birth_date": "1971-04-09",
            "joined_on": None,
            "phone": "0912345678",
            "citizen_id": "025171000123",
            "id_card": "131234567",
        },
    )
    assert answer.status_code == 201, answer.text
    member_id: str = answer.json()["id"]
    return member_id


class TestReasons:
    @pytest.mark.parametrize(
        ("name", "born", "expected"),
        [
            ("Đặng Thị Kim Thoa", "1971-04-09", {R.name_same, R.birth_date_same}),
            ("dang thi kim thoa", "1971", {R.name_without_tones, R.birth_year_same}),
            ("Đặng Thị Kim Thoa", "1972", {R.name_same, R.birth_year_close}),
            ("Đặng Thị Kim Thoan", "1971", {R.name_near, R.birth_year_same}),
            ("Đặng Thị Thoa", "1971", {R.name_near, R.birth_year_same}),
            ("Thoa Đặng Thị Kim", "1971", {R.name_near, R.birth_year_same}),
            ("Đặng Thị Kim Thoa", None, {R.name_same}),
        ],
    )
    def test_of_the_same_branch(
        self, database: Database, known: str, here: int, name: str, born: str, expected: set[Reason]
    ) -> None:
        [found] = of(database, ComparedPerson(name, born, here))
        assert reasons(found, known) == expected | {R.branch_same}

    def test_of_another_branch_of_the_commune(
        self, database: Database, known: str, unit_id: UnitIds
    ) -> None:
        [found] = of(database, ComparedPerson("Dang Thi Kim Thoa", "1971", unit_id["phuongvi-2"]))
        assert reasons(found, known) == {R.name_without_tones, R.birth_year_same, R.commune_same}

    def test_of_another_commune_by_the_whole_date(
        self, database: Database, known: str, unit_id: UnitIds
    ) -> None:
        there = unit_id["tienluong-1"]
        by_date, by_year = of(
            database,
            ComparedPerson("Dang Thi Kim Thoa", "1971-04-09", there),
            ComparedPerson("Dang Thi Kim Thoa", "1971", there),
        )
        assert reasons(by_date, known) == {R.name_without_tones, R.birth_date_same}
        assert by_year == []

    @pytest.mark.parametrize(
        ("number", "reason"),
        [
            ({"citizen_id": "025171000123"}, R.citizen_id_same),
            ({"id_card": "131234567"}, R.id_card_same),
        ],
    )
    def test_a_number_alone_is_enough_whatever_the_name(
        self, database: Database, known: str, number: dict[str, Any], reason: Reason
    ) -> None:
        [found] = of(database, ComparedPerson("Hà Văn Khác", **number))
        assert reasons(found, known) == {reason}

    def test_a_phone_is_shared_by_families(
        self, database: Database, known: str, unit_id: UnitIds
    ) -> None:
        phone, there = "+84912345678", unit_id["tienluong-1"]
        daughter, herself = of(
            database,
            ComparedPerson("Đặng Thị Lan Anh", "1971-04-09", there, phone=phone),
            ComparedPerson("Đặng Thị Kim Thoa", "1971", there, phone=phone),
        )
        assert known not in {str(each.member_id) for each in daughter}
        assert reasons(herself, known) == {R.name_same, R.birth_year_same, R.phone_same}

    def test_another_citizen_id_speaks_against(
        self, database: Database, known: str, here: int
    ) -> None:
        other = "025171000999"
        namesake, same_day = of(
            database,
            ComparedPerson("Dang Thi Kim Thoa", "1971", here, citizen_id=other),
            ComparedPerson("Đặng Thị Kim Thoa", "1971-04-09", here, citizen_id=other),
        )
        assert namesake == []
        assert R.citizen_id_differs in reasons(same_day, known)

    def test_a_namesake_of_another_age_is_nobody(
        self, database: Database, known: str, here: int
    ) -> None:
        assert of(database, ComparedPerson("Đặng Thị Kim Thoa", "1990", here)) == [[]]

    def test_nobody_is_her_own_candidate(self, database: Database, known: str, here: int) -> None:
        person = ComparedPerson("Đặng Thị Kim Thoa", "1971-04-09", here, member_id=UUID(known))
        assert of(database, person) == [[]]

    def test_add_up_to_the_score(self) -> None:
        assert scores.score_of(REASONS) == 100
        assert scores.score_of([R.birth_differs]) == 0
        assert scores.score_of([R.name_same, R.birth_year_same, R.branch_same]) == 73


class TestTelling:
    """Of a member out of scope an answer says only what the caller stated in full."""

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ([R.name_same, R.birth_year_same, R.commune_same], []),
            ([R.name_near, R.birth_date_same, R.commune_same], []),
            ([R.name_same, R.birth_date_same], [R.name_without_tones, R.birth_date_same]),
            ([R.name_same, R.birth_year_same, R.phone_same], [R.name_without_tones, R.phone_same]),
            ([R.name_same, R.birth_date_same, R.citizen_id_same], [R.citizen_id_same]),
            ([R.id_card_same, R.phone_same], [R.id_card_same]),
        ],
    )
    def test_is_the_proof_alone(self, given: list[Reason], told: list[Reason]) -> None:
        assert scores.telling(given) == told


class TestCost:
    def test_grows_with_communes_and_not_with_people(self, database: Database) -> None:
        with writing(database) as session:
            members = session.exec(select(Member).order_by(col(Member.id)).limit(300)).all()
        people = [
            ComparedPerson(
                m.full_name, m.birth_date, m.branch_id, m.phone, m.citizen_id, m.id_card, m.id
            )
            for m in members
        ]
        costs = []
        for number in (50, 300):
            with counted(database) as statements:
                of(database, *people[:number])
            costs.append(len(statements))
        assert costs[0] <= costs[1] <= 6, costs

    def test_finds_everybody_again(self, database: Database) -> None:
        with writing(database) as session:
            members = session.exec(select(Member).order_by(col(Member.id)).limit(300)).all()
        people = [ComparedPerson(m.full_name, m.birth_date, m.branch_id) for m in members]
        found = of(database, *people)
        for member, candidates in zip(members, found, strict=True):
            assert member.id in [each.member_id for each in candidates]
