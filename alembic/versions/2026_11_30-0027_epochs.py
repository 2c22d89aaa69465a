"""the epochs of the change log, and what each shares with the one before"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("began_after", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("losses_accepted_by", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_epoch"),
        sa.UniqueConstraint("id", name="uq_epoch_id"),
    )
    # What an earlier epoch shared with this one was not recorded.
    head = sa.table("feed_head", sa.column("epoch", _ID))
    epoch = sa.table(
        "epoch",
        sa.column("number", sa.Integer()),
        sa.column("id", _ID),
        sa.column("began_after", sa.BigInteger()),
        sa.column("began_at", sa.DateTime(timezone=True)),
    )
    began_at = sa.literal(datetime.now(UTC), sa.DateTime(timezone=True))
    first = sa.select(sa.literal(1), head.c.epoch, sa.literal(0), began_at)
    op.execute(epoch.insert().from_select(["number", "id", "began_after", "began_at"], first))


def downgrade() -> None:
    op.drop_table("epoch")
