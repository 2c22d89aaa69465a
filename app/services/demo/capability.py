"""The demo: a district of synthetic people to try everything with."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    work=Without("nobody works in the demo"),
    figures=Without("its rows are counted where they are"),
    sync=Without("it is loaded on the server"),
    events=Without("it is no news"),
)
