"""every foreign key has an index"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# Table, column, and whether it may be empty: then only the rows where it is not are in the index.
POINTERS = (
    ("anonymisation", "policy_id", False),
    ("calendar_link", "unit_id", True),
    ("erasure", "request_id", True),
    ("escape_check", "household_id", False),
    ("escape_step", "household_id", False),
    ("escape_step", "responsible_member_id", True),
    ("figure_day", "branch_id", False),
    ("household_person", "member_id", True),
    ("job", "unit_id", True),
    ("membership", "from_branch_id", True),
    ("membership", "to_branch_id", True),
    ("poverty_status", "assessment_id", True),
    ("processing_limit", "request_id", True),
    ("room", "unit_id", True),
)


def upgrade() -> None:
    for table, column, nullable in POINTERS:
        where = sa.text(f"{column} IS NOT NULL") if nullable else None
        op.create_index(
            f"ix_{table}_{column}", table, [column], sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    for table, column, _ in POINTERS:
        op.drop_index(f"ix_{table}_{column}", table)
