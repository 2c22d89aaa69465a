"""The feed: what has happened, in its order, for systems that keep copies."""

from app.services.feed import checking
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    tags={"feed": "What has happened, for systems that keep copies."},
    audience={"feed": frozenset({"integration"})},
    checks=(checking.wrong,),
    work=Without("followers ask by themselves"),
    figures=Without("it counts nothing of the union"),
    sync=Without("phones keep rows, and no events"),
    events=Without("it hands on what others tell"),
    operations=Without("it is only read"),
)
