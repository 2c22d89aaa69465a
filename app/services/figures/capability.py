"""Figures of units: their definitions come with the capabilities whose rows they count."""

from datetime import timedelta

from app.models.figures.rollups import FigureDay, FigureFold, FigureKept, FigureShared, FigureStale
from app.models.figures.women import WomenCount
from app.models.kernel.access import Right
from app.services.figures import checks, definitions, folding, women, wording
from app.services.kernel.manifest import Capability, Upkeep
from app.services.kernel.offers import Without
from app.services.kernel.tracking import DERIVED, Tracked, of_unit
from app.services.kernel.unit_ends import AtEnd, Stays
from app.services.units.followers import OfUnits

CAPABILITY = Capability(
    module=__name__,
    owned=(WomenCount, FigureDay, FigureKept, FigureShared, FigureStale, FigureFold),
    unit_ends={
        WomenCount: AtEnd.refuses,
        FigureDay: Stays("what was counted of a past day stays right"),
        FigureShared: Stays("what was counted of a past day stays right"),
        FigureStale: Stays("the next fold counts the unit"),
    },
    tracked={
        WomenCount: Tracked(
            entity="women_count",
            units=of_unit("branch_id"),
            read_right=Right.members_read,
            left_out=DERIVED | {"id"},
        ),
    },
    follows=(OfUnits(last_days=women.last_days_in, succeeded=women.mark_grown),),
    nobody={
        WomenCount: frozenset({"source"}),
        FigureDay: frozenset({"rows", "figures"}),
        FigureKept: frozenset({"rows", "figures"}),
        FigureShared: frozenset({"rows", "figure"}),
        FigureStale: frozenset({"entity"}),
        FigureFold: frozenset(),
    },
    checks=(definitions.wrong, checks.wrong, wording.wrong),
    upkeep=(Upkeep(run=folding.fold, every=timedelta(minutes=1)),),
    problems=("figures.yaml",),
    tags={"figures": "Figures of any unit and period, by definitions, and what is behind them."},
    audience={"figures": frozenset({"mobile", "integration"})},
    work=Without("a figure asks nobody to act"),
    figures=women.FIGURES,
    sync=Without("figures are read while online"),
    events=Without("figures are read, and counted anew from rows"),
    operations=Without("figures are only read"),
)
