"""What a right hides never reaches a phone: of a kind without its right not even that it changed."""

import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.phone import Phone


def may_only(database: Database, username: str, rights: list[Right]) -> None:
    """The grants of an account have these rights from now on."""
    of_account = sa.select(col(Account.id)).where(col(Account.username) == username)
    with writing(database) as session:
        session.execute(
            sa.update(Grant)
            .where(col(Grant.account_id).in_(of_account))
            .values(role="program", rights=rights)
        )


def test_changes_of_what_a_phone_may_not_have_are_not_told(
    head: Api, officer: Api, database: Database, unit_id: UnitIds
) -> None:
    may_only(database, "phuongvi-1", [Right.units_read, Right.events_read])
    phone = Phone(head)
    phone.pull()
    assert phone.records.keys() <= {"unit", "event", "session"}
    [someone] = officer.get(f"/v1/members?limit=1&unit={unit_id['phuongvi-1']}").json()["items"]
    edited = officer.patch(
        f"/v1/members/{someone['id']}",
        json={"address": "Khu 1"},
        headers={"if-match": f'"{someone["revision"]}"'},
    )
    assert edited.status_code == 200, edited.text
    assert phone.pull() == []


def test_a_right_that_ends_takes_its_rows_and_their_changes_along(
    head: Api, officer: Api, database: Database, unit_id: UnitIds
) -> None:
    phone = Phone(head)
    phone.pull()
    of_branch = set(phone.rows["member"])
    may_only(database, "phuongvi-1", [Right.units_read, Right.events_read])
    phone.pull()
    assert not phone.rows["member"]
    dropped = {item["id"] for item in phone.items if item["kind"] == "member"}
    assert dropped == of_branch
    [someone] = officer.get(f"/v1/members?limit=1&unit={unit_id['phuongvi-1']}").json()["items"]
    officer.patch(
        f"/v1/members/{someone['id']}",
        json={"address": "Khu 1"},
        headers={"if-match": f'"{someone["revision"]}"'},
    )
    assert phone.pull() == []
