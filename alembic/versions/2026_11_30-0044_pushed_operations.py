"""what phones wrote while they were offline, and the verdict on each"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(length=16), "sqlite")
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "pushed_operation",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("op_id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("phone_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=True),
        sa.Column("record_id", _ID, nullable=True),
        sa.Column("subject_id", _ID, nullable=True),
        sa.Column("base_rev", sa.BigInteger(), nullable=True),
        sa.Column("depends_on", _JSON, nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", _TIME, nullable=True),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("waits_for", sa.String(length=32), nullable=True),
        sa.Column("waits_on", _ID, nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("patch", sa.Text(), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("decided_by", _ID, nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_pushed_operation_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_pushed_operation_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushed_operation")),
        sa.UniqueConstraint(
            "account_id", "op_id", name=op.f("uq_pushed_operation_account_id_op_id")
        ),
    )
    for names in (["unit_id", "waits_for"], ["subject_id", "account_id"], ["received_at"]):
        op.create_index(f"ix_pushed_operation_{'_'.join(names)}", "pushed_operation", names)
    op.create_index(
        "ix_pushed_operation_waiting",
        "pushed_operation",
        ["waits_for", "received_at"],
        sqlite_where=sa.text("waits_for IS NOT NULL"),
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    )
    op.create_index(
        "ix_pushed_operation_waits_on",
        "pushed_operation",
        ["account_id", "waits_on"],
        sqlite_where=sa.text("waits_on IS NOT NULL"),
        postgresql_where=sa.text("waits_on IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("pushed_operation")
