"""A download that broke off goes on where it was (RFC 9110, 14)."""

import pytest
from httpx2 import Response

from app.db import Database
from app.services.files.stores import store_of
from tests.files.uploads import PDF, objects, overwritten, picture, whole
from tests.helpers.client import Api

# Of more than one sealed chunk, no two lines alike.
LARGE = b"%PDF-1.7\n" + b"".join(b"%06d obj\n" % number for number in range(220_000))


def content_of(api: Api, data: bytes, kind: str = "document") -> str:
    return f"/v1/files/{whole(api, data, kind)['id']}/content"


def part(api: Api, path: str, which: str, **headers: str) -> Response:
    return api.get(path, headers={"range": which, **headers})


class TestParts:
    def test_are_the_bytes_that_are_asked_for(self, head: Api) -> None:
        path, size = content_of(head, LARGE), len(LARGE)
        for which, start, stop in (
            ("bytes=0-", 0, size),
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("Bytes= 1048570-1048580", 1_048_570, 1_048_581),
            ("bytes=1048576-", 1_048_576, size),
            (f"bytes={size - 1}-{size * 9}", size - 1, size),
            ("bytes=-500", size - 500, size),
            (f"bytes=-{size * 9}", 0, size),
        ):
            answer = part(head, path, which)
            assert (answer.status_code, answer.content) == (206, LARGE[start:stop]), which
            assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
            assert answer.headers["content-length"] == str(stop - start)

    def test_of_a_broken_download_are_the_rest(self, head: Api) -> None:
        path = content_of(head, LARGE)
        first = head.get(path)
        had = first.content[:1_500_000]
        tag = first.headers["etag"]
        rest = part(head, path, f"bytes={len(had)}-", **{"if-range": tag})
        assert rest.status_code == 206
        assert rest.headers["etag"] == tag
        assert had + rest.content == LARGE

    def test_of_a_thumbnail(self, head: Api) -> None:
        path = content_of(head, picture(size=(900, 600)), "picture") + "?size=thumbnail"
        small = head.get(path).content
        assert part(head, path, "bytes=100-").content == small[100:]

    @pytest.mark.parametrize(
        "which",
        ["bytes=5-4", "bytes=", "bytes=-", "bytes=0-1,4-5", "lines=0-1", "bytes=x-", "0-1"],
    )
    def test_what_names_none_gets_all(self, head: Api, which: str) -> None:
        answer = part(head, content_of(head, PDF), which)
        assert (answer.status_code, answer.content) == (200, PDF)
        assert "content-range" not in answer.headers

    @pytest.mark.parametrize("tag", ['"another"', 'W/"{tag}"', "Mon, 30 Nov 2026 20:00:00 GMT"])
    def test_of_other_bytes_than_the_client_has_is_all(self, head: Api, tag: str) -> None:
        path = content_of(head, PDF)
        own = head.get(path).headers["etag"].strip('"')
        answer = part(head, path, "bytes=10-", **{"if-range": tag.replace("{tag}", own)})
        assert (answer.status_code, answer.content) == (200, PDF)

    @pytest.mark.parametrize("which", ["bytes={size}-", "bytes=999999999999999999-", "bytes=-0"])
    def test_behind_the_end_there_is_nothing(self, head: Api, which: str) -> None:
        answer = part(head, content_of(head, PDF), which.replace("{size}", str(len(PDF))))
        assert (answer.status_code, answer.json()["code"]) == (416, "range_behind_end")
        assert answer.headers["content-range"] == f"bytes */{len(PDF)}"

    def test_are_of_a_file_that_is_not_compressed(self, head: Api) -> None:
        """Who goes on counts the bytes that have come."""
        path = content_of(head, LARGE)
        for headers in ({}, {"range": "bytes=0-99999"}):
            answer = head.get(path, headers={"accept-encoding": "gzip, zstd", **headers})
            assert "content-encoding" not in answer.headers
            assert answer.headers["accept-ranges"] == "bytes"

    def test_head_has_none(self, head: Api) -> None:
        told = head.request("HEAD", content_of(head, PDF), headers={"range": "bytes=0-1"})
        assert (told.status_code, told.headers["content-length"]) == (200, str(len(PDF)))
        assert told.headers["accept-ranges"] == "bytes"

    def test_of_others_are_not_there(self, head: Api, officer: Api) -> None:
        assert part(officer, content_of(head, PDF), "bytes=0-1").status_code == 404

    def test_of_what_was_cut_off_are_lost(self, head: Api, database: Database) -> None:
        before = objects(database)
        path = content_of(head, LARGE)
        [made] = objects(database) - before
        store = store_of(database.settings)
        with store.open(made) as file:
            overwritten(store, made, file.read(1_048_576))
        assert part(head, path, "bytes=1200000-").json()["code"] == "file_lost"
