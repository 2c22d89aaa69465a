"""branches of a reorganisation whose rows follow after its commit"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("reorganisation", sa.Column("behind", _JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("reorganisation", "behind")
