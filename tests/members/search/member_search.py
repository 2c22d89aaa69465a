"""What the tests of member search share."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from urllib.parse import quote
from uuid import UUID

import pytest
from httpx2 import Response
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.models.groups.groups import Participation
from app.models.kernel.access import Role
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import (
    Education,
    Gender,
    Member,
    MemberKind,
    MemberStatus,
    PartyStatus,
    Qualification,
    Religion,
)
from app.services.kernel import changes
from app.text import sort_key, unit_sort_key
from tests.conftest import make_settings
from tests.helpers.answers import Json
from tests.helpers.client import Api, utc_now
from tests.helpers.databases import Clones
from tests.helpers.rows import add_account, add_member, add_unit

# Nobody else of the demo is a Ksor.
WORLD: dict[str, list[str]] = {
    "phuongvi-1": [
        "Ksor Thị Hoà",
        "Ksor Thị Hoàn",
        "Ksor Vĩ",
        "Ksor Nguyễn Thị Sinh",
        "Ksor Nga Hoa",
        "Ksor Nguyễn Nga",
    ],
    "phuongvi-3": ["Ksor Thị Hoa", "Đặng Ksor Đào"],
    "tienluong-1": ["Ksor Thị Hóa", "Ksor Vỹ", "H'Hen Ksor"],
    "tienluong-2": ["Đỗ Ksor Dao", "Ksor-Lê Thị Hoa"],
}


# The plans of a search: a branch, a commune, communes merged, a province, everybody.
SCOPES = {
    "phuongvi-1": ["phuongvi-1"],
    "phuongvi": ["phuongvi-1", "phuongvi-3"],
    "camkhe": list(WORLD),
    "phutho": list(WORLD),
    "trunguong": list(WORLD),
}


IN_FULL: dict[str, Json] = {
    "Ksor Thị Hoà": {
        "phone": "+84912345678",
        "citizen_id": "025168001234",
        "id_card": "132012399",
        "birth_year": 1968,
        "birth_date": "1968",
        "joined_on": "2001-03-08",
        "core": True,
        "education": Education.primary,
        "qualification": Qualification.none,
        "ethnicity": "04",
        "religion": Religion.catholic,
        "party": PartyStatus.member,
        "household_id": UUID(int=7),
    },
    "Ksor Thị Hoa": {
        "citizen_id": "025168991234",
        "birth_year": 1969,
        "birth_date": "1969",
        "joined_on": "2001-03-09",
        "education": Education.primary,
        "household_id": UUID(int=7),
    },
    "Ksor Thị Hóa": {
        "phone": "+84912345678",
        "citizen_id": "025168881234",
        "ethnicity": "04",
        "education": Education.upper_secondary,
    },
    "Ksor Vỹ": {"phone": "+84392345678", "gender": Gender.male, "kind": MemberKind.honorary},
    "Ksor Nga Hoa": {"status": MemberStatus.left, "phone": "+84933345678"},
}


def fill(session: Session) -> None:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    units = session.exec(select(Unit)).all()
    communes = {"Xã Phượng Vĩ": "phuongvi", "Xã Tiên Lương": "tienluong"}
    slugs = {u.id: communes[u.name] for u in units if u.name in communes}
    by_slug = {
        f"{slugs[u.commune_id]}-{u.name.split()[-1]}": u
        for u in units
        if u.level is UnitLevel.branch and u.commune_id in slugs
    }
    for slug, names in WORLD.items():
        for name in names:
            add_member(session, by_slug[slug], name, **IN_FULL.get(name, {}))
    top = add_unit(session, UnitLevel.central, "Trung ương Hội", None)
    commune = next(u.id for u in units if u.name == "Xã Tiên Lương")
    add_account(session, "trunguong", {top.id: Role.province_officer})
    # A reader sees phones and no identity numbers.
    reads = {by_slug["phuongvi-1"].id: Role.integration_reader}
    add_account(session, "reader", reads)
    add_account(session, "two-hats", reads | {commune: Role.commune_officer})
    add_groups(session, by_slug["phuongvi-1"])


def add_groups(session: Session, branch: Unit) -> None:
    """A club of the branch, in which one takes part, one did, and one will."""
    now = utc_now()
    club = Unit(
        level=UnitLevel.group,
        name="CLB Dân vũ",
        name_key="clb dan vu",
        sort_key=unit_sort_key("CLB Dân vũ"),
        parent_id=branch.id,
        province_id=branch.province_id,
        district_id=branch.district_id,
        commune_id=branch.commune_id,
        branch_id=branch.id,
        opened_on=date(2020, 1, 1),
        created_at=now,
        updated_at=now,
    )
    session.add(club)
    session.flush()
    today, day = local_today(), timedelta(days=1)
    for name, since, until in (
        ("Ksor Thị Hoà", date(2021, 1, 1), today),
        ("Ksor Vĩ", date(2021, 1, 1), today - day),
        ("Ksor Nguyễn Nga", today + day, None),
    ):
        member_id = session.exec(select(Member.id).where(col(Member.full_name) == name)).one()
        session.add(
            Participation(
                group_id=club.id,
                member_id=member_id,
                province_id=branch.province_id or 0,
                valid_from=since,
                valid_to=until,
                created_at=now,
                updated_at=now,
            )
        )
    session.flush()


def names_of(answer: Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["full_name"] for item in answer.json()["items"]]


def search(api: Api, q: str, filters: str = "") -> list[str]:
    return names_of(api.get(f"/v1/members?limit=200&q={quote(q)}{filters}"))


def error_of(answer: Response) -> Json:
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    found: Json = error
    return found


def in_scope(username: str, names: Sequence[str]) -> list[str]:
    known = {name for unit in SCOPES[username] for name in WORLD[unit]}
    return sorted(known & set(names), key=sort_key)


HOA = ["Ksor Thị Hoa", "Ksor Thị Hóa", "Ksor-Lê Thị Hoa"]


class OwnDatabase:
    """Base of test classes that write."""

    @pytest.fixture
    def database(self, clones: Clones) -> Iterator[Database]:
        with clones.clone() as url:
            made = Database(make_settings(url))
            yield made
            made.close()
