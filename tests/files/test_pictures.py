"""Pictures: what a file is by its content, what is kept of it, and what was made to hurt."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps
from sqlmodel import select

from app.db import Database
from app.models.files.files import FilePiece, StoredFile
from app.services.files import pictures
from tests.files.uploads import PDF, created, objects, picture, piece, sent, whole
from tests.helpers.client import Api, writing

GPS, MAKE = 0x8825, 0x010F


def with_place(orientation: int = 1) -> bytes:
    """A picture with a maker, a place, a comment and a profile, as a phone writes them."""
    exif = Image.Exif()
    exif[MAKE] = "Chị Lan's phone"
    exif[0x0112] = orientation
    exif.get_ifd(GPS)[2] = (21.0, 2.0, 3.0)
    return picture(exif=exif.tobytes(), comment=b"at home")


def bomb() -> bytes:
    """A PNG of one pixel's data that says it has 50,000 x 50,000."""
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0\0\0\0")), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def scans(number: int) -> bytes:
    """A progressive JPEG whose last scan, of a dozen bytes, comes so many times."""
    data = picture(progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * number + data[-2:]


def read(api: Api, found: dict[str, Any], size: str = "full") -> Image.Image:
    answer = api.get(f"/v1/files/{found['id']}/content?size={size}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    return Image.open(io.BytesIO(answer.content))


class TestKept:
    def test_grey_of_16_bits(self, head: Api) -> None:
        """As dark and as bright as it was."""
        grey = Image.new("I;16", (40, 30))
        grey.putdata([number * 65_535 // 1_199 for number in range(1_200)])
        out = io.BytesIO()
        grey.save(out, "PNG")
        shades = read(head, whole(head, out.getvalue(), "picture")).convert("L").tobytes()
        assert min(shades) < 10
        assert max(shades) > 245

    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "HEIF"])
    def test_of_each_type_as_jpeg(self, head: Api, format_: str) -> None:
        pictures._prepare()
        found = whole(head, picture(format_), "picture")
        assert (found["state"], found["media_type"]) == ("ready", "image/jpeg")
        assert (found["width"], found["height"]) == (40, 30)
        assert read(head, found).size == (40, 30)

    def test_without_what_the_camera_wrote(self, head: Api) -> None:
        data = with_place()
        assert b"Lan" in data
        assert b"at home" in data
        found = whole(head, data, "picture")
        for size in ("full", "thumbnail"):
            kept = read(head, found, size)
            assert dict(kept.getexif()) == {}
            assert {"exif", "comment", "icc_profile", "xmp"} & kept.info.keys() == set()

    def test_turned_upright(self, head: Api) -> None:
        found = whole(head, with_place(orientation=6), "picture")
        assert (found["width"], found["height"]) == (30, 40)

    def test_as_large_as_is_of_use(self, head: Api) -> None:
        found = whole(head, picture(size=(3_000, 1_500)), "picture")
        assert (found["width"], found["height"]) == (2_560, 1_280)
        assert read(head, found).size == (2_560, 1_280)
        assert read(head, found, "thumbnail").size == (320, 160)

    def test_the_first_of_several(self, head: Api) -> None:
        """As phones with two lenses write them: an MPO is a JPEG in its first bytes."""
        out = io.BytesIO()
        first, depth = (Image.new("RGB", (40, 30), colour) for colour in ("white", "black"))
        first.save(out, "MPO", save_all=True, append_images=[depth])
        path = created(head, len(out.getvalue()), "picture", filetype="image/jpeg")
        assert piece(head, path, 0, out.getvalue()).status_code == 204
        assert read(head, head.get(path).json()).getpixel((4, 4)) == (255,) * 3

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_upright_from_each_side(self, head: Api, orientation: int) -> None:
        """As Pillow turns it, which writes the EXIF anew and falls over much of it."""
        exif = Image.Exif()
        exif[0x0112] = orientation
        out = io.BytesIO()
        turned = Image.linear_gradient("L").crop((0, 0, 200, 100)).convert("RGB")
        turned.save(out, "PNG", exif=exif.tobytes())
        want = ImageOps.exif_transpose(Image.open(out))
        kept = read(head, whole(head, out.getvalue(), "picture"))
        assert kept.size == want.size
        assert max(ImageChops.difference(kept, want).tobytes()) < 10

    def test_whose_exif_contradicts_itself(self, head: Api) -> None:
        """Its hemisphere is made of numbers: Pillow cannot write that."""
        latitude, hemisphere = (struct.pack(">HHI", tag, 5, 3) for tag in (2, 1))
        data = with_place(orientation=6).replace(latitude, hemisphere)
        assert hemisphere in data
        assert whole(head, data, "picture")["width"] == 30

    def test_whose_profile_cannot_be_read(self, head: Api) -> None:
        found = whole(head, picture(icc_profile=b"no profile" * 20), "picture")
        assert read(head, found).size == (40, 30)

    def test_with_white_for_nothing(self, head: Api) -> None:
        out = io.BytesIO()
        Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(out, "PNG")
        assert read(head, whole(head, out.getvalue(), "picture")).getpixel((4, 4)) == (255,) * 3

    def test_with_a_tag_for_good(self, head: Api) -> None:
        path = f"/v1/files/{whole(head, picture(), 'picture')['id']}/content"
        tag = head.get(path).headers["etag"]
        again = head.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert head.get(f"{path}?size=thumbnail").headers["etag"] != tag

    def test_documents_have_no_thumbnail(self, head: Api) -> None:
        path = f"/v1/files/{whole(head, PDF)['id']}/content?size=thumbnail"
        assert head.get(path).json()["code"] == "file_without_thumbnail"


class TestRefused:
    @pytest.mark.parametrize(
        ("kind", "data", "stated", "code"),
        [
            ("picture", PDF, None, "file_type_refused"),
            ("picture", b"MZ\x90\0" * 100, "image/jpeg", "file_type_refused"),
            ("picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", None, "file_type_refused"),
            ("picture", b"", None, "file_type_refused"),
            ("picture", picture("PNG"), "image/jpeg", "file_type_differs"),
            ("picture", picture(), "application/pdf", "file_type_differs"),
            ("picture", bomb(), "image/png", "picture_pixels"),
            ("picture", scans(100), None, "picture_damaged"),
            ("picture", picture(size=(400, 300))[:900], None, "picture_damaged"),
            ("picture", picture("PNG", (400, 300))[:100], None, "picture_damaged"),
            ("picture", picture("WEBP", (400, 300))[:100], None, "picture_damaged"),
            ("document", picture(), None, "file_type_refused"),
            ("document", b"PK\x03\x04\0\0", None, "file_type_refused"),
            ("document", "đã".encode("utf-16"), None, "file_type_refused"),
            ("document", "xin chào".encode()[:-2] + b"\xc3", None, "file_type_refused"),
            ("document", b"\x1f\x8b\x08\x00cut off", "text/plain", "file_type_refused"),
            ("document", b"<html>", "application/pdf", "file_type_differs"),
            ("document", PDF, "text/plain", "file_type_differs"),
        ],
    )
    def test_with_the_reason_and_nothing_kept(
        self, head: Api, database: Database, kind: str, data: bytes, stated: str | None, code: str
    ) -> None:
        before = objects(database)
        told = {} if stated is None else {"filetype": stated}
        path = created(head, len(data), kind, **told)
        for _ in range(2 if data else 0):
            answer = piece(head, path, 0, data)
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        found = head.get(path).json()
        assert (found["state"], found["refused"]) == ("refused", code)
        assert (found["offset"], found["size"]) == (len(data), None)
        assert head.get(f"{path}/content").status_code == 404
        assert objects(database) == before
        with writing(database) as session:
            assert session.exec(select(FilePiece)).all() == []
            assert session.exec(select(StoredFile)).all() == []

    @pytest.mark.parametrize("stated", ["image/jpg", "IMAGE/JPEG; q=1", "application/octet-stream"])
    def test_not_for_another_name_of_the_type(self, head: Api, stated: str) -> None:
        assert sent(head, picture(), "picture", filetype=stated).status_code == 204

    def test_pixels_are_counted_before_any_is_decoded(self) -> None:
        with pytest.raises(pictures.TooManyPixels), pictures.opened(bomb()):
            pass
