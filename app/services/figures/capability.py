"""Figures of units: their definitions come with the capabilities whose rows they count."""

from app.services.figures import definitions
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    checks=(definitions.wrong,),
    problems=("figures.yaml",),
    tags={"figures": "Figures of any unit and period, by definitions, and what is behind them."},
    audience={"figures": frozenset({"mobile", "integration"})},
    work=Without("a figure asks nobody to act"),
    figures=Without("it counts the rows of others"),
    sync=Without("figures are read while online"),
    events=Without("it stores nothing"),
)
