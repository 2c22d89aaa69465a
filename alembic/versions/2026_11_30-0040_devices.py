"""devices, and the sign-in sessions that belong to them"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_FOREIGN_KEY = "fk_auth_session_device_id_device"
_INDEX = "ix_auth_session_device_id"


def upgrade() -> None:
    op.create_table(
        "device",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("app_version", sa.String(40), nullable=False),
        sa.Column("last_seen_at", _INSTANT, nullable=False),
        sa.Column("revoked_at", _INSTANT, nullable=True),
        sa.Column("wipe_requested_at", _INSTANT, nullable=True),
        sa.Column("wiped_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_device_account_id_account", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
    )
    op.create_index("ix_device_account_id", "device", ["account_id"])
    with op.batch_alter_table("auth_session") as batch_op:
        batch_op.add_column(sa.Column("device_id", _ID, nullable=True))
        batch_op.create_foreign_key(
            _FOREIGN_KEY, "device", ["device_id"], ["id"], ondelete="SET NULL"
        )
    filled = sa.text("device_id IS NOT NULL")
    op.create_index(
        _INDEX, "auth_session", ["device_id"], sqlite_where=filled, postgresql_where=filled
    )


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="auth_session")
    with op.batch_alter_table("auth_session") as batch_op:
        batch_op.drop_constraint(_FOREIGN_KEY, type_="foreignkey")
        batch_op.drop_column("device_id")
    op.drop_table("device")
