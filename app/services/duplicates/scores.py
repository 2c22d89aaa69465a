"""What the reasons to suspect a duplicate count for."""

from collections.abc import Iterable, Sequence

from app.models.duplicates.duplicates import REASONS, Reason


def score_of(reasons: Iterable[Reason]) -> int:
    """0 to 100."""
    return max(0, min(100, sum(REASONS[reason].points for reason in reasons)))


def telling(reasons: Sequence[Reason]) -> list[Reason]:
    """The reasons for which an actor learns of a member out of scope; empty: the actor learns
    nothing.

    They hold only what the question stated in full, so that an answer reveals nothing new: a
    citizen id, a card, or the name together with a whole date of birth or a phone. A year of birth
    could be guessed in sixty tries.
    """
    for number in (Reason.citizen_id_same, Reason.id_card_same):
        if number in reasons:
            return [number]
    if Reason.name_same in reasons or Reason.name_without_tones in reasons:
        for proof in (Reason.birth_date_same, Reason.phone_same):
            if proof in reasons:
                return [Reason.name_without_tones, proof]
    return []
