"""What the API says of itself: entities, fields, code lists and their crosswalks."""

from app.services.kernel.manifest import Capability
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    tags={"meta": "What there is: entities with their fields, codes and rights."},
    audience={"meta": frozenset({"integration"})},
    work=Without("it is only read"),
    figures=Without("it counts nothing of the union"),
    sync=Without("phones have their code lists with the members"),
    events=Without("it changes with the release alone"),
    operations=Without("it is only read"),
)
