"""Files broken at random, from a seed: bytes flipped, cut, doubled; numbers made huge inside a zip."""

import io
import random
import re
import zipfile
from collections.abc import Iterator

from tests.data import make_workbooks as ugly

_HUGE = (b"4294967295", b"99999999", b"1048576", b"-1", b"0", b"18446744073709551616")


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(name of what it was made of, bytes)."""
    draw = random.Random(seed)
    books = {name: make() for name, make in ugly.BOOKS.items()}
    for _ in range(count):
        name = draw.choice(sorted(books))
        data = books[name]
        if name.endswith(".xlsx") and draw.random() < 0.8:
            yield name, _inside(data, draw)
        else:
            yield name, _broken(data, draw)


def _inside(book: bytes, draw: random.Random) -> bytes:
    """A zip that is whole, with parts that are not."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", 8) as new:
        names = old.namelist()
        targets = draw.sample(names, k=min(len(names), draw.choice((1, 1, 2))))
        for name in names:
            content = old.read(name)
            if name in targets:
                if draw.random() < 0.1:
                    continue
                content = draw.choice((_broken, _with_huge_numbers, _without_tags))(content, draw)
            new.writestr(name, content)
    return out.getvalue()


def _broken(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 5, 20))):
        if not changed:
            break
        at = draw.randrange(len(changed))
        match draw.randrange(5):
            case 0:
                changed[at] = draw.randrange(256)
            case 1:
                del changed[at : at + draw.randrange(1, 200)]
            case 2:
                changed[at:at] = changed[at : at + draw.randrange(1, 200)]
            case 3:
                changed[at:at] = draw.randbytes(draw.randrange(1, 8))
            case _:
                changed[at : at + 4] = draw.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")
                )
    if draw.random() < 0.05:
        del changed[draw.randrange(len(changed) + 1) :]
    return bytes(changed)


def _with_huge_numbers(data: bytes, draw: random.Random) -> bytes:
    return re.sub(rb"[0-9]+", lambda m: draw.choice(_HUGE) if draw.random() < 0.02 else m[0], data)


def _without_tags(data: bytes, draw: random.Random) -> bytes:
    return re.sub(
        rb"<[^>]*>", lambda m: draw.choice((b"", m[0] * 2)) if draw.random() < 0.02 else m[0], data
    )
