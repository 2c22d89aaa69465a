"""decisions keep what was recorded of the household; official B2 points of an assessment"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One by one: a table that is made anew on SQLite would lose its triggers.
    op.add_column("poverty_status", sa.Column("stated_change", sa.String(length=32), nullable=True))
    op.add_column("poverty_status", sa.Column("ethnicity", sa.String(length=2), nullable=True))
    op.add_column("poverty_status", sa.Column("restated_for", sa.String(length=32), nullable=True))
    status = sa.table(
        "poverty_status",
        *(sa.column(name) for name in ("household_id", "valid_from", "ethnicity")),
    )
    stay = sa.table(
        "poverty_stay",
        *(sa.column(name) for name in ("household_id", "valid_from", "valid_to", "ethnicity")),
    )
    counted = (
        sa.select(sa.func.max(stay.c.ethnicity))
        .where(
            stay.c.household_id == status.c.household_id,
            stay.c.valid_from <= status.c.valid_from,
            sa.or_(stay.c.valid_to.is_(None), stay.c.valid_to >= status.c.valid_from),
        )
        .scalar_subquery()
    )
    op.execute(sa.update(status).values(ethnicity=counted))
    op.add_column("assessment", sa.Column("b2_points", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("assessment", "b2_points")
    for name in ("restated_for", "ethnicity", "stated_change"):
        op.drop_column("poverty_status", name)
