"""bulk upsert: batches, their verdicts, and what other systems call our records"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(length=16), "sqlite")
_TIME = sa.DateTime(timezone=True)
_VALID = sa.text("valid_to IS NULL")
_BATCH = sa.text("batch IS NOT NULL")


def _of_other_systems(owner: str, owner_id: sa.types.TypeEngine[object], *more: sa.Column) -> None:
    table = f"{owner}_external_id"
    op.create_table(
        table,
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column(f"{owner}_id", owner_id, nullable=False),
        *more,
        sa.ForeignKeyConstraint(
            [f"{owner}_id"],
            [f"{owner}.id"],
            name=op.f(f"fk_{table}_{owner}_id_{owner}"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(
        f"uq_{table}_valid",
        table,
        ["key"],
        unique=True,
        sqlite_where=_VALID,
        postgresql_where=_VALID,
    )
    op.create_index(f"ix_{table}_{owner}_id", table, [f"{owner}_id"])
    op.create_index(f"ix_{table}_import_id", table, ["import_id"])


def upgrade() -> None:
    for owner in ("member", "household"):
        _of_other_systems(owner, _ID, sa.Column("province_id", sa.Integer(), nullable=False))
    _of_other_systems("unit", sa.Integer())
    op.add_column("import", sa.Column("batch", sa.String(length=64), nullable=True))
    op.create_index(
        "uq_import_batch",
        "import",
        ["account_id", "batch"],
        unique=True,
        sqlite_where=_BATCH,
        postgresql_where=_BATCH,
    )
    op.create_table(
        "bulk_set",
        sa.Column("id", _ID, nullable=False),
        sa.Column("import_id", _ID, nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=True),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["import.id"],
            name=op.f("fk_bulk_set_import_id_import"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_set")),
    )
    op.create_index("uq_bulk_set_number", "bulk_set", ["import_id", "chunk", "number"], unique=True)


def downgrade() -> None:
    op.drop_table("bulk_set")
    op.drop_index("uq_import_batch", "import")
    with op.batch_alter_table("import") as batch:
        batch.drop_column("batch")
    for owner in ("unit", "household", "member"):
        op.drop_table(f"{owner}_external_id")
