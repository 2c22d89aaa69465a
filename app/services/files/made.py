"""Files that the server makes itself for an account, as they are written and once they are whole."""

import hashlib
from types import TracebackType
from typing import Self
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.config import Settings
from app.models.base import new_id
from app.models.files.files import FileKind, StoredFile
from app.models.kernel.accounts import Account
from app.security.secret_texts import new_secret
from app.services.files.objects import Shelf
from app.services.files.stores import store_of


class FileInMaking:
    """Bytes on their way into the store: kept there when the block ends, dropped when it raises."""

    def __init__(self, settings: Settings, media_type: str) -> None:
        self.id = new_id()
        self.media_type = media_type
        self._secret = new_secret()
        self._object = Shelf(store_of(settings), self._secret).begin()
        self._sum = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._object.write(data)
        self._sum.update(data)

    @property
    def size(self) -> int:
        return self._object.size

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._object.__exit__(kind, error, trace)

    def give(self, session: Session, account_id: UUID, entity: str, record_id: UUID) -> None:
        """From now on the record has the file: `stored` reads it and gives it up."""
        mine = col(Account.id) == account_id
        now = utc_now()
        session.add(
            StoredFile(
                id=self.id,
                account_id=account_id,
                unit_id=session.execute(sa.select(col(Account.unit_id)).where(mine)).scalar_one(),
                kind=FileKind.document,
                media_type=self.media_type,
                length=self.size,
                size=self.size,
                object_id=self._object.id,
                secret=self._secret,
                used_as=entity,
                used_by=record_id,
                created_at=now,
                updated_at=now,
            )
        )
