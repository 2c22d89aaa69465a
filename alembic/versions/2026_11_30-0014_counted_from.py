"""members whose day of joining is unknown count from the day they were entered"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INDEX = "ix_membership_branch_id_valid_from"
_BEFORE = ["branch_id", "valid_from", "valid_to", "annulled_at"]


def upgrade() -> None:
    op.add_column("membership", sa.Column("counted_from", sa.Date(), nullable=True))
    op.drop_index(_INDEX, table_name="membership")
    op.create_index(_INDEX, "membership", [*_BEFORE, "counted_from"], unique=False)


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="membership")
    op.create_index(_INDEX, "membership", _BEFORE, unique=False)
    op.drop_column("membership", "counted_from")
