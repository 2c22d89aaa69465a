"""Files of exports in parts: a download that was broken off goes on where it stood."""

from collections.abc import Iterator

import pytest

from app.api.http.ranges import FilePart
from app.security import sealed_files
from tests.exports.asking import Work, content, exported
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api


@pytest.fixture
def file(officer: Api, work: Work, monkeypatch: pytest.MonkeyPatch) -> Json:
    # So that the parts begin in different chunks of what is sealed.
    monkeypatch.setattr(sealed_files, "CHUNK", 1_000)
    found: Json = exported(officer, work, kinds=["member"])["files"][0]
    assert found["bytes"] > 5_000
    return found


class TestRange:
    def test_parts_are_parts_of_the_file(self, officer: Api, file: Json) -> None:
        whole, size = content(officer, file), file["bytes"]
        for asked, start, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=999-1000", 999, 1_001),
            ("bytes=1000-", 1_000, size),
            ("bytes=2500-4200", 2_500, 4_201),
            ("bytes=-7", size - 7, size),
            (f"bytes={size - 1}-{size + 500}", size - 1, size),
            (f"bytes=-{size + 5}", 0, size),
        ):
            answer = officer.get(file["path"], headers={"range": asked})
            assert answer.status_code == 206, asked
            assert answer.content == whole[start:end], asked
            assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
            assert answer.headers["content-length"] == str(end - start)

    def test_a_broken_download_goes_on(self, officer: Api, file: Json) -> None:
        whole = officer.get(file["path"], headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in whole.headers
        assert whole.headers["accept-ranges"] == "bytes"
        tag = whole.headers["etag"]
        asked = {"range": "bytes=1234-", "if-range": tag, "accept-encoding": "zstd, gzip"}
        rest = officer.get(file["path"], headers=asked)
        assert rest.status_code == 206
        assert whole.content[:1234] + rest.content == whole.content

    def test_of_another_file_all_of_it_comes(self, officer: Api, file: Json) -> None:
        asked = {"range": "bytes=1234-", "if-range": '"another"'}
        answer = officer.get(file["path"], headers=asked)
        assert (answer.status_code, len(answer.content)) == (200, file["bytes"])

    @pytest.mark.parametrize(
        "asked", ["bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=a-b", "bytes=-"]
    )
    def test_what_is_no_part_is_all_of_it(self, officer: Api, file: Json, asked: str) -> None:
        answer = officer.get(file["path"], headers={"range": asked})
        assert (answer.status_code, len(answer.content)) == (200, file["bytes"])

    @pytest.mark.parametrize("behind", [0, 1, 10**12])
    def test_behind_the_end(self, officer: Api, file: Json, behind: int) -> None:
        asked = {"range": f"bytes={file['bytes'] + behind}-"}
        answer = officer.get(file["path"], headers=asked)
        refused(answer, 416, "range_behind_end")
        assert answer.headers["content-range"] == f"bytes */{file['bytes']}"
        refused(officer.get(file["path"], headers={"range": "bytes=-0"}), 416, "range_behind_end")

    def test_head_and_what_is_there_already(self, officer: Api, file: Json) -> None:
        head = officer.request("HEAD", file["path"])
        assert head.headers["content-length"] == str(file["bytes"])
        tag = {"if-none-match": head.headers["etag"]}
        assert officer.get(file["path"], headers=tag).status_code == 304


def test_a_part_reads_no_further_than_it_goes() -> None:
    read: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(10):
            read.append(number)
            yield b"0123456789"

    assert b"".join(FilePart(5, 20, 100).of(chunks())) == b"012345678901234"
    assert read == [0, 1]
