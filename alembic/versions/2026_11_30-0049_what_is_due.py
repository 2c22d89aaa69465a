"""what is due is found by an index in tables that grow"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

# Name, table, column, and of which rows alone.
_INDEXES = (
    ("ix_notification_created_at", "notification", "created_at", None),
    ("ix_export_record_at", "export_record", "at", None),
    ("ix_merge_undo_until", "merge", "undo_until", "journal IS NOT NULL"),
    ("ix_import_kept", "import", "updated_at", "forgotten_at IS NULL"),
    ("ix_erasure_unswept", "erasure", "erased_at", "swept_at IS NULL"),
)


def upgrade() -> None:
    for name, table, column, which in _INDEXES:
        where = None if which is None else sa.text(which)
        op.create_index(name, table, [column], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name, table, *_ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
