"""Files sent as a phone sends them."""

import io
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from httpx2 import Response
from PIL import Image

from app.clock import utc_now
from app.db import Database
from app.models.base import new_id
from app.services.files.protocol import Store
from app.services.files.stores import store_of
from tests.helpers.client import Api

PIECE = {"content-type": "application/offset+octet-stream", "tus-resumable": "1.0.0"}
PDF = b"%PDF-1.7\n" + b"1 0 obj\n" * 400


def announced(api: Api, length: int, kind: str = "document", **metadata: str) -> Response:
    """The answer to a creation."""
    pairs = {"kind": kind, **metadata}
    told = ",".join(f"{n} {b64encode(v.encode()).decode()}" for n, v in pairs.items())
    headers = {"upload-length": str(length), "upload-metadata": told, "tus-resumable": "1.0.0"}
    return api.post("/v1/files", headers=headers)


def created(api: Api, length: int, kind: str = "document", **metadata: str) -> str:
    """The address of a new upload."""
    answer = announced(api, length, kind, **metadata)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def piece(api: Api, path: str, offset: int, data: bytes) -> Response:
    headers = PIECE | {"upload-offset": str(offset)}
    return api.patch(path, headers=headers, content=data)


def sent(api: Api, data: bytes, kind: str = "document", **metadata: str) -> Response:
    """The answer to the only piece of a file."""
    return piece(api, created(api, len(data), kind, **metadata), 0, data)


def whole(api: Api, data: bytes, kind: str = "document") -> dict[str, Any]:
    """A file that has arrived, as its sender reads it."""
    path = created(api, len(data), kind)
    answer = piece(api, path, 0, data)
    assert answer.status_code == 204, answer.text
    found: dict[str, Any] = api.get(path).json()
    return found


def picture(format_: str = "JPEG", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    out = io.BytesIO()
    mode = "RGBA" if format_ in ("PNG", "WEBP") else "RGB"
    Image.new(mode, size, "teal").save(out, format_, **options)
    return out.getvalue()


def objects(database: Database) -> set[UUID]:
    """What the store holds of all databases of this process."""
    return set(store_of(database.settings).names(utc_now() + timedelta(minutes=1)))


def kept(store: Store, data: bytes) -> UUID:
    """A new object."""
    name = new_id()
    overwritten(store, name, data)
    return name


def overwritten(store: Store, name: UUID, data: bytes) -> None:
    draft = store.create(name)
    draft.write(data)
    draft.keep()


def in_parts(data: bytes, length: int) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(data), length):
        yield start, data[start : start + length]
