"""The inbox of an account: what is in it, whose it is, what was read."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.models.notices.notifications import Notification
from tests.helpers.answers import refused
from tests.helpers.client import Api, writing
from tests.helpers.meetings import announced, items

INBOX = "/v1/me/notifications"


@pytest.fixture
def member(api: Api) -> Api:
    return api.as_("member")


@pytest.fixture
def delivered(
    api: Api,
    member: Api,
    database: Database,
    unit_id: dict[str, int],
    work: Callable[[], int],
) -> list[dict[str, Any]]:
    """Two reminders of one session, as the account `member` finds them."""
    names = {number: name for name, number in unit_id.items()}
    with writing(database) as session:
        branch_id = session.exec(
            select(Member.branch_id)
            .join(Account, col(Account.member_id) == col(Member.id))
            .where(col(Account.username) == "member")
        ).one()
    head = api.as_(names[branch_id])
    _, session_id = announced(head)
    assert work() == 1
    [invitation] = items(member, INBOX)
    member.post(f"{INBOX}/{invitation['id']}/read")
    for text in ("Nhớ mang sổ", "Nhớ đến sớm"):
        answer = head.post(f"/v1/sessions/{session_id}/reminders", json={"text": text})
        assert answer.status_code == 201, answer.text
        assert work() == 1
    return items(member, f"{INBOX}?unread=true")


def test_the_newest_comes_first_page_by_page(member: Api, delivered: list[dict[str, Any]]) -> None:
    assert [each["text"] for each in delivered] == ["Nhớ đến sớm", "Nhớ mang sổ"]
    assert [each["read_at"] for each in delivered] == [None, None]
    pages = f"{INBOX}?unread=true&limit=1"
    first = member.get(pages).json()
    second = member.get(f"{pages}&cursor={first['next_cursor']}").json()
    assert (first["items"], second["items"]) == (delivered[:1], delivered[1:])
    assert second["next_cursor"] is None


def test_what_was_read_stays_and_is_no_longer_unread(
    member: Api, delivered: list[dict[str, Any]]
) -> None:
    newest, oldest = delivered
    assert member.post(f"{INBOX}/{newest['id']}/read").status_code == 204
    [read, unread, _] = items(member, INBOX)
    assert read["read_at"] is not None
    assert unread == oldest
    assert items(member, f"{INBOX}?unread=true") == [oldest]
    assert member.post(f"{INBOX}/{newest['id']}/read").status_code == 204
    assert items(member, INBOX)[:2] == [read, unread]


def test_nobody_else_sees_or_reads_it(
    api: Api, database: Database, delivered: list[dict[str, Any]]
) -> None:
    stranger = api.as_("tienluong-1")
    assert items(stranger, INBOX) == []
    refused(stranger.post(f"{INBOX}/{delivered[0]['id']}/read"), 404, "not_found")
    refused(stranger.post(f"{INBOX}/{uuid4()}/read"), 404, "not_found")
    with writing(database) as session:
        ids = [UUID(each["id"]) for each in delivered]
        read_at = select(Notification.read_at).where(col(Notification.id).in_(ids))
        assert set(session.exec(read_at)) == {None}
