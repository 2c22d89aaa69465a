"""the feed's numbers belong to an epoch"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    op.add_column("feed_head", sa.Column("epoch", _ID, nullable=True))
    epoch = uuid4()
    head = sa.table("feed_head", sa.column("epoch", _ID))
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(sa.update(head).values(epoch=epoch.bytes if on_sqlite else epoch))
    with op.batch_alter_table("feed_head") as batch_op:
        batch_op.alter_column("epoch", existing_type=_ID, nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("feed_head") as batch_op:
        batch_op.drop_column("epoch")
