"""phones of a whole province find its attendance by an index"""

from contextlib import nullcontext

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

_NAME = "ix_attendance_province_id_id"


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    with nullcontext() if on_sqlite else op.get_context().autocommit_block():
        op.drop_index(_NAME, "attendance", if_exists=True, postgresql_concurrently=True)
        op.create_index(_NAME, "attendance", ["province_id", "id"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index(_NAME, "attendance")
