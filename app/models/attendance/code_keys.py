"""The keys of signed codes: of the installation, not of its data keys, which are rotated."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from app.models.base import Sealed


class CodeKey(SQLModel, table=True):
    """One key ring entry; the one of the highest id signs, all verify.

    None is ever deleted: a card on paper is good for as long as it is not revoked.
    """

    __tablename__ = "code_key"

    id: int | None = Field(default=None, primary_key=True)
    # 32 bytes each, as hexadecimal.
    card_seed: str = Field(sa_type=Sealed("code_key"))
    session_seed: str = Field(sa_type=Sealed("code_key"))
    created_at: datetime
