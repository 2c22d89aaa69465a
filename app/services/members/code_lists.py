"""Code lists as phones keep them, so that a form has its labels offline."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from app.models.kernel.code_lists import CODE_LISTS, CodeList
from app.services.kernel.offers import SyncData


def _rows(_: Connection) -> Iterator[Mapping[str, Any]]:
    return (listed.model_dump(mode="json") for listed in CODE_LISTS.values())


SYNC = SyncData(name="code_list", schema=CodeList, key="name", rows=_rows)
