"""What everyone may see of an event: a card as JSON, and a page with Open Graph."""

from html.parser import HTMLParser
from uuid import uuid4

import pytest

from tests.helpers.answers import Json, refused
from tests.helpers.client import Api
from tests.helpers.meetings import acted, made, sitting

NASTY = """</title><script>alert(1)</script>" onload='x' &amp; Hội"""


class Page(HTMLParser):
    """The tags of a page, its Open Graph and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.meta: dict[str, str] = {}
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "meta" and given.get("property"):
            self.meta[str(given["property"])] = str(given["content"])

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def event(head: Api) -> Json:
    times = [
        sitting(starts_at="2099-11-21T19:30:00+07:00", ends_at="2099-11-21T21:00:00+07:00"),
        sitting(
            starts_at="2099-12-21T19:30:00+07:00",
            ends_at="2099-12-21T21:00:00+07:00",
            place="Sân đình",
        ),
    ]
    shared = made(
        head,
        title=NASTY,
        summary="Mời chị em <b>đến</b>",
        place="Nhà văn hoá khu 1",
        organiser="Nguyễn Thị A",
        image_url="https://example.org/anh.jpg?a=1&b=2",
        is_public=True,
        sessions=times,
    )
    acted(head, f"/v1/events/{shared['id']}/announce")
    return shared


def address(api: Api, event: Json) -> str:
    page: str = api.get(f"/v1/events/{event['id']}/share").json()["page"]
    return page


class TestCard:
    def test_only_what_was_made_public_and_announced(self, head: Api, api: Api) -> None:
        event = made(head, is_public=True, summary="Mời chị em", organiser="Nguyễn Thị A")
        path = f"/v1/events/{event['id']}/share"
        refused(api.get(path), 404, "not_found")
        acted(head, f"/v1/events/{event['id']}/announce")
        card = api.get(path)
        assert card.status_code == 200
        assert card.json()["open_graph"]["og:title"] == event["title"]
        assert "Nguyễn" not in card.text
        head.patch(f"/v1/events/{event['id']}", json={"is_public": False})
        refused(api.get(path), 404, "not_found")
        refused(api.get(f"/v1/events/{uuid4()}/share"), 404, "not_found")


class TestPage:
    def test_says_what_where_and_when_and_nobody(self, api: Api, event: Json) -> None:
        answer = api.get(address(api, event))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = Page(answer.text)
        assert page.meta == {
            "og:type": "article",
            "og:title": NASTY,
            "og:description": "19:30–21:00, Thứ Bảy 21/11/2099 · Nhà văn hoá khu 1"
            " · Mời chị em <b>đến</b>",
            "og:image": "https://example.org/anh.jpg?a=1&b=2",
            "og:locale": "vi_VN",
        }
        assert "19:30–21:00, Thứ Hai 21/12/2099 · Sân đình" in page.text
        assert "Chi hội khu 1" in page.text
        assert "Nguyễn" not in answer.text

    def test_runs_nothing_of_what_was_typed(self, api: Api, event: Json) -> None:
        answer = api.get(address(api, event))
        page = Page(answer.text)
        assert not {"script", "b", "img"} & set(page.tags)
        assert NASTY in page.text
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_is_kept_by_caches_and_ignores_what_others_add(
        self, api: Api, event: Json, head: Api
    ) -> None:
        path = address(api, event)
        answer = api.get(f"{path}?fbclid=x&utm_source=zalo")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=300"
        tag = {"if-none-match": answer.headers["etag"]}
        again = api.get(path, headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        acted(head, f"/v1/events/{event['id']}/cancel", {"reason": "Bão"})
        changed = api.get(path, headers=tag)
        assert "Sự kiện này đã huỷ." in changed.text

    def test_there_is_no_other(self, api: Api, event: Json, head: Api) -> None:
        path = address(api, event)
        browser = {"accept": "text/html,*/*;q=0.8"}
        wrongs = (path[:-1], f"{path}A", f"{path[:-1]}=", "/p/x", "/p/%C3%A9", f"/p/{'A' * 22}")
        for wrong in (*wrongs, f"/p/{'A' * 5000}"):
            refused(api.get(wrong), 404, "not_found")
            missing = api.get(wrong, headers=browser)
            assert missing.status_code == 404, wrong
            assert "Không tìm thấy trang này" in missing.text
        head.patch(f"/v1/events/{event['id']}", json={"is_public": False})
        refused(api.get(path), 404, "not_found")
        draft = made(head, is_public=True)
        refused(api.get(f"/v1/events/{draft['id']}/share"), 404, "not_found")
        assert api.post(path).status_code == 405
