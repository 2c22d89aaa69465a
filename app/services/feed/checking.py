"""Whether each capability says what followers read of its rows."""

from collections import Counter
from collections.abc import Iterator

from app.services.kernel.manifest import Capability, Manifest
from app.services.kernel.offers import Without


def wrong(manifest: Manifest) -> Iterator[str]:
    """What is said of the feed that does not hold together, each with its file."""
    for capability in manifest.capabilities:
        yield from _wrong_in(capability)


def _wrong_in(capability: Capability) -> Iterator[str]:
    events = capability.events
    if isinstance(events, Without):
        return
    entities = {tracked.entity for tracked in capability.tracked.values()}
    said = Counter([*(kind.entity for kind in events.kinds), *events.untold])
    for entity in sorted(entities - said.keys()):
        yield f"{capability.file}: events say nothing of the entity {entity}"
    for entity in sorted(said.keys() - entities):
        yield f"{capability.file}: events name {entity}, which is no entity of it"
    for entity, times in said.items():
        if times > 1:
            yield f"{capability.file}: events say twice what {entity} tells"
