"""the roll-up of poverty flows is of units as they were"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_KEY = ("unit_id", "by", "grain", "starts_on", "poverty_class", "kind", "part")
_NOW = ("now_commune_id", "now_district_id", "now_province_id")


def upgrade() -> None:
    op.execute("DELETE FROM poverty_flow WHERE basis <> 'as_was'")
    if op.get_bind().dialect.name == "sqlite":
        _anew(_KEY, f"SELECT {_names(*_KEY)}")
    else:
        op.drop_constraint("pk_poverty_flow", "poverty_flow", type_="primary")
        op.drop_column("poverty_flow", "basis")
        op.create_primary_key("pk_poverty_flow", "poverty_flow", [*_KEY])
    for name in _NOW:
        op.drop_column("poverty_stay", name)


def downgrade() -> None:
    """What stands in the units of today is filled as households are counted anew."""
    for name in _NOW:
        op.add_column("poverty_stay", sa.Column(name, sa.Integer(), nullable=True))
    key = ("unit_id", "basis", *_KEY[1:])
    if op.get_bind().dialect.name == "sqlite":
        _anew(key, f"SELECT unit_id, 'as_was', {_names(*_KEY[1:])}")
        return
    op.drop_constraint("pk_poverty_flow", "poverty_flow", type_="primary")
    basis = sa.Column("basis", sa.String(32), nullable=False, server_default="as_was")
    op.add_column("poverty_flow", basis)
    op.alter_column("poverty_flow", "basis", server_default=None)
    op.create_primary_key("pk_poverty_flow", "poverty_flow", [*key])


def _anew(key: tuple[str, ...], of_old: str) -> None:
    """SQLite changes no primary key: the table is made again, in the order of its key."""
    types: dict[str, sa.types.TypeEngine[object]] = {
        "unit_id": sa.Integer(),
        "by": sa.String(12),
        "starts_on": sa.Date(),
        "part": sa.String(40),
    }
    op.rename_table("poverty_flow", "poverty_flow_old")
    op.create_table(
        "poverty_flow",
        *(sa.Column(n, types.get(n, sa.String(32)), nullable=False) for n in key),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_poverty_flow"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO poverty_flow ({_names(*key)}, households, people)"
        f" {of_old}, households, people FROM poverty_flow_old"
    )
    op.drop_table("poverty_flow_old")


def _names(*columns: str) -> str:
    return ", ".join(f'"{name}"' for name in columns)
