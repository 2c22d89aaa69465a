"""What the middleware knows about the current request, for code further down the stack."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache

from app.models.kernel.changes import ChangeSource
from app.problem_texts import Language
from app.services.kernel.access import Actor
from app.services.kernel.changes import Origin
from app.services.kernel.shown import Shown


@dataclass(slots=True)
class RequestContext:
    request_id: str
    language: Language
    path: str
    actor: Actor | None = None
    # The program that asks, whether it is let in or not: its requests are counted.
    program: Actor | None = None
    # What the answer shows, to be noted in the access log (api/http/noting.py).
    shown: list[Shown] = field(default_factory=list)


request_context: ContextVar[RequestContext] = ContextVar("request_context")


def origin(actor: Actor | None) -> Origin:
    """Who is behind the changes of this request."""
    return Origin(
        source=ChangeSource.api,
        account_id=actor.account_id if actor else None,
        session_id=actor.session_id if actor else None,
        device=actor.device if actor else None,
        request_id=request_context.get().request_id,
    )


@lru_cache(maxsize=256)  # clients send a few headers; each costs 2 µs to read
def preferred_language(accept: str) -> Language:
    """`vi` unless English is asked for with a higher weight (RFC 9110, 12.5.4)."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        tag, _, parameter = part.strip().partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            weights[tag.strip()[:2].lower()] = float(weight) if weight else 1.0
        except ValueError:
            continue
    return "en" if weights.get("en", 0.0) > weights.get("vi", 0.0) else "vi"
