"""Reorganisations: what a decree does to units, in one act."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    work=Without("an act on one unit is done at once"),
    figures=Without("its counts are those of members"),
    sync=Without("clients read the tree by its own endpoints"),
    events=Without("its changes are in the change log"),
    problems=("reorganisations.yaml",),
)
