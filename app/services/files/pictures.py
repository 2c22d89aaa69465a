"""Pictures: decoded, turned upright, made smaller and written anew.

What a camera or an editor wrote into the file (EXIF with the place of the home, XMP, comments, a
preview of what was cut off) is not copied, so it cannot be forgotten.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import PIL.Image

JPEG: Final = "image/jpeg"
HEIC: Final = "image/heic"
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "HEIF")
# MPO is a JPEG with further pictures behind it (a depth, a second lens); the first one counts.
_TYPES: Final = {
    "JPEG": JPEG,
    "MPO": JPEG,
    "PNG": "image/png",
    "WEBP": "image/webp",
    "HEIF": HEIC,
}
# A phone of today takes 12 to 50 million; decoded, a pixel takes 3 or 4 bytes.
MOST_PIXELS: Final = 50_000_000
FULL, THUMBNAIL = 2560, 320
_QUALITY: Final = 85
# Every scan of a JPEG goes over all its pixels again, and may be a dozen bytes long. Cameras and
# editors write ten at most.
_SCAN: Final = b"\xff\xda"
MOST_SCANS: Final = 100
# EXIF 2.32, tag 0x0112: how the pixels are turned or mirrored, and what undoes it.
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


class NoPicture(ValueError):
    """The content is of no type that is taken."""


class TooManyPixels(ValueError):
    """It says that it has more than `MOST_PIXELS`; nothing was decoded."""


class Damaged(ValueError):
    """It begins as a picture and cannot be read to its end."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """JPEG in sRGB, without anything but the pixels."""

    full: bytes
    thumbnail: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """A picture whose head was read."""

    media_type: str
    _image: PIL.Image.Image

    def cleaned(self) -> Cleaned:
        """At most 2560 pixels wide or high, and its thumbnail of 320. What is transparent becomes
        white."""
        try:
            self._image.thumbnail((FULL, FULL))
            plain = _on_white(_in_srgb(_upright(_in_8_bits(self._image))))
            plain.info.clear()  # comments would be written again
        except _UNREADABLE as error:
            raise Damaged from error
        full = _jpeg(plain)
        width, height = plain.size
        plain.thumbnail((THUMBNAIL, THUMBNAIL))
        return Cleaned(full, _jpeg(plain), width, height)


# What Pillow raises for files that are cut off, contradict themselves or were made to hurt.
_UNREADABLE: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, OverflowError)


@contextmanager
def opened(data: bytes) -> Iterator[OpenedPicture]:
    """A picture by its head: nothing is decoded yet."""
    from PIL import Image, UnidentifiedImageError

    _prepare()
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise NoPicture from None
    except _UNREADABLE as error:
        raise Damaged from error
    with image:
        media_type = _TYPES[image.format or ""]
        if image.width * image.height > MOST_PIXELS:
            raise TooManyPixels
        if media_type == JPEG and data.count(_SCAN) > MOST_SCANS:
            raise Damaged
        yield OpenedPicture(media_type, image)


@cache
def _prepare() -> None:
    """Pillow with HEIC; loaded with the first picture."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    # Every head is compared with MOST_PIXELS above, and the answer is ours.
    Image.MAX_IMAGE_PIXELS = None


def _upright(image: PIL.Image.Image) -> PIL.Image.Image:
    """Turned as EXIF says, which is read and never written: much of it contradicts itself."""
    from PIL import Image

    method = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return image if method is None else image.transpose(Image.Transpose[method])


def _in_8_bits(image: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of 16 bits (scanners write it): Pillow would take all but the darkest for white."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _in_srgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Phones write other colour spaces (Display P3), which the file has to name for most viewers."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA"):
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return image  # a profile that cannot be read changes no pixel
    return image if converted is None else converted


def _on_white(image: PIL.Image.Image) -> PIL.Image.Image:
    from PIL import Image

    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    over = image.convert("RGBA")
    white = Image.new("RGBA", over.size, "white")
    white.alpha_composite(over)
    return white.convert("RGB")


def _jpeg(image: PIL.Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
