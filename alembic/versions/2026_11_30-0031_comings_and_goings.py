"""memberships that ended and transfers have indexes by day"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_membership_ended": ("valid_to", "valid_to IS NOT NULL"),
    "ix_membership_moved_in": ("valid_from", "joined_by IN ('transfer', 'reorganisation')"),
}


def upgrade() -> None:
    for name, (column, which) in INDEXES.items():
        where = sa.text(which)
        op.create_index(name, "membership", [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="membership")
