"""after a restore what is due waits until the operator has said go"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("epoch", sa.Column("went_on_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("epoch", sa.Column("went_on_by", sa.String(200), nullable=True))
    # What was due in epochs of before has long been done.
    op.execute("UPDATE epoch SET went_on_at = began_at")


def downgrade() -> None:
    with op.batch_alter_table("epoch") as batch_op:
        batch_op.drop_column("went_on_by")
        batch_op.drop_column("went_on_at")
