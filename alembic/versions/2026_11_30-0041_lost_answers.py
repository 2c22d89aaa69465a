"""the last answer to a refresh, for the phone that did not get it"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("auth_session", sa.Column("kept_answer", sa.Text(), nullable=True))
    op.add_column("auth_session", sa.Column("kept_access_id", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("auth_session", "kept_access_id")
    op.drop_column("auth_session", "kept_answer")
