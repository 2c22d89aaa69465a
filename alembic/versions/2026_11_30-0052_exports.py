"""exports of whole records, and who was shown them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(length=16), "sqlite")
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "bulk_export",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("kinds", _JSON, nullable=False),
        sa.Column("fields", _JSON, nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("headings", sa.String(length=32), nullable=False),
        sa.Column("since", _JSON, nullable=True),
        sa.Column("position", _JSON, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ready_at", _TIME, nullable=True),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_bulk_export_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_bulk_export_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_export")),
    )
    for names in (["account_id", "id"], ["job_id"], ["expires_at"], ["unit_id"]):
        op.create_index(f"ix_bulk_export_{'_'.join(names)}", "bulk_export", names)
    op.create_table(
        "export_file",
        sa.Column("file_id", _ID, nullable=False),
        sa.Column("export_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("columns", _JSON, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"],
            ["bulk_export.id"],
            name=op.f("fk_export_file_export_id_bulk_export"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_export_file")),
    )
    op.create_index("ix_export_file_export_id", "export_file", ["export_id"])
    op.create_table(
        "bulk_read",
        sa.Column("export_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("fields", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("export_id", "unit_id", "entity", name=op.f("pk_bulk_read")),
    )
    op.create_index("ix_bulk_read_unit_id_entity", "bulk_read", ["unit_id", "entity"])
    op.create_index("ix_bulk_read_day", "bulk_read", ["day"])


def downgrade() -> None:
    for table in ("bulk_read", "export_file", "bulk_export"):
        op.drop_table(table)
