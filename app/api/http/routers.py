"""The routers of a capability: every `Router` in the modules of its package of the api.

They are found in the order of the capabilities, of the modules' names and of the lines: nobody keeps
a list of them.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from app.api.http.routing import Router
from app.services.kernel.manifest import Capability


def routers_of(capability: Capability) -> Iterator[Router]:
    """None for a capability without an api."""
    if find_spec(capability.api) is None:
        return
    folder = import_module(capability.api).__path__
    for name in sorted(module.name for module in iter_modules(folder)):
        module = import_module(f"{capability.api}.{name}")
        yield from (each for each in vars(module).values() if isinstance(each, Router))
