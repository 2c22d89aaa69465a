"""attendance has the id that the change log calls it by, and is found by commune"""

import hashlib
from contextlib import nullcontext
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from app.db.phases import BATCH, require

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_ROWS = sa.table(
    "attendance",
    sa.column("session_id", _ID),
    sa.column("member_id", _ID),
    sa.column("id", _ID),
)
_INDEXES = {
    "uq_attendance_id": ["id"],
    "ix_attendance_commune_id_local_date": ["commune_id", "local_date"],
}


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    # Begun again where it was broken off; SQLite knows no such words.
    again = None if on_sqlite else True
    op.add_column("attendance", sa.Column("id", _ID, nullable=True), if_not_exists=again)
    with nullcontext() if on_sqlite else op.get_context().autocommit_block():
        _fill()
        for name, columns in _INDEXES.items():
            op.drop_index(name, "attendance", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "attendance",
                columns,
                unique=columns == ["id"],
                postgresql_concurrently=True,
            )
    require(op, "attendance", "id", _ID)


def _fill() -> None:
    """The log has called these facts so since they were made."""
    update = (
        sa.update(_ROWS)
        .where(
            _ROWS.c.session_id == sa.bindparam("of_session", type_=_ID),
            _ROWS.c.member_id == sa.bindparam("of_member", type_=_ID),
        )
        .values(id=sa.bindparam("named", type_=_ID))
    )
    key = (_ROWS.c.session_id, _ROWS.c.member_id)
    unnamed = sa.select(*key).where(_ROWS.c.id.is_(None)).order_by(*key).limit(BATCH)
    found = op.get_bind().execute(unnamed).all()
    while found:
        named = [
            {"of_session": session, "of_member": member, "named": _named(session, member)}
            for session, member in found
        ]
        op.get_bind().execute(update, named)
        last = sa.tuple_(*(sa.literal(each, _ID) for each in found[-1]))
        found = op.get_bind().execute(unnamed.where(sa.tuple_(*key) > last)).all()


def _named(session: UUID | bytes, member: UUID | bytes) -> UUID | bytes:
    both = b"".join(key if isinstance(key, bytes) else key.bytes for key in (session, member))
    digest = hashlib.blake2b(both, digest_size=16).digest()
    return digest if isinstance(session, bytes) else UUID(bytes=digest)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "attendance")
    with op.batch_alter_table("attendance") as batch_op:
        batch_op.drop_column("id")
