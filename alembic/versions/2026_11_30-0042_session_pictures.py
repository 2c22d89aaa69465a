"""pictures of sessions"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "session_picture",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("file_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("caption", sa.String(500), nullable=True),
        sa.Column("taken_by", sa.String(120), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name="fk_session_picture_session_id_event_session",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name="fk_session_picture_file_id_file", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_session_picture"),
        sa.UniqueConstraint("file_id", name="uq_session_picture_file_id"),
    )
    op.create_index(
        "ix_session_picture_session_id", "session_picture", ["session_id", "position", "id"]
    )


def downgrade() -> None:
    op.drop_table("session_picture")
