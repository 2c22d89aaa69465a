"""files and their uploads"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "file",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("object_id", _ID, nullable=False),
        sa.Column("thumbnail_id", _ID, nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("used_as", _KEY, nullable=True),
        sa.Column("used_by", _ID, nullable=True),
        sa.Column("expires_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_file_account_id_account", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_file_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_file"),
    )
    for column in ("account_id", "unit_id", "used_by", "object_id", "thumbnail_id", "expires_at"):
        op.create_index(f"ix_file_{column}", "file", [column])
    op.create_table(
        "file_upload",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("refused", sa.String(60), nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name="fk_file_upload_account_id_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_file_upload"),
    )
    for column in ("account_id", "expires_at"):
        op.create_index(f"ix_file_upload_{column}", "file_upload", [column])
    op.create_table(
        "file_piece",
        sa.Column("id", _ID, nullable=False),
        sa.Column("upload_id", _ID, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["file_upload.id"],
            name="fk_file_piece_upload_id_file_upload",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_file_piece"),
        sa.UniqueConstraint("upload_id", "start", name="uq_file_piece_upload_id_start"),
    )


def downgrade() -> None:
    """Files are lost with what unseals them."""
    for table in ("file_piece", "file_upload", "file"):
        op.drop_table(table)
