"""The key ring of signed codes: kept in the database, sealed with the data keys."""

import secrets

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.models.attendance.code_keys import CodeKey
from app.services.attendance.codes import Ring
from app.services.kernel.access import Db

_SEED_BYTES = 32
_RING = sa.select(col(CodeKey.card_seed), col(CodeKey.session_seed)).order_by(
    col(CodeKey.id).desc()
)


def ring_of(db: Db) -> Ring:
    """All keys of this installation, the newest first."""
    seeds = db.execute(_RING).all()
    return Ring(
        cards=tuple(bytes.fromhex(row.card_seed) for row in seeds),
        sessions=tuple(bytes.fromhex(row.session_seed) for row in seeds),
    )


def add(session: Session) -> None:
    """From now on a new key signs; cards and codes of the others stay good."""
    session.add(
        CodeKey(
            card_seed=secrets.token_hex(_SEED_BYTES),
            session_seed=secrets.token_hex(_SEED_BYTES),
            created_at=utc_now(),
        )
    )
    session.flush()
