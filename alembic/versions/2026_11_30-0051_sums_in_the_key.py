"""the key of attendance holds what the counts of a session are made of"""

from collections.abc import Sequence

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

_COUNTED = ("branch_id", "mode", "room_id", "on_roster")


def upgrade() -> None:
    _rebuild(_COUNTED)


def downgrade() -> None:
    _rebuild(())


def _rebuild(included: Sequence[str]) -> None:
    """Beside the old key, while others write. On SQLite the key is the table itself."""
    if op.get_bind().dialect.name == "sqlite":
        return
    include = f" INCLUDE ({', '.join(included)})" if included else ""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS pk_attendance_new")
        op.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY pk_attendance_new"
            f" ON attendance (session_id, member_id){include}"
        )
    op.execute(
        "ALTER TABLE attendance DROP CONSTRAINT pk_attendance,"
        " ADD CONSTRAINT pk_attendance PRIMARY KEY USING INDEX pk_attendance_new"
    )
