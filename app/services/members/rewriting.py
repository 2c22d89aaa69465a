"""Correct the days of a spell.

The caller corrects what depends on it (neighbours, posts, transfers); `spells.settle` updates the
member's own columns.
"""

from datetime import date

from app.clock import utc_now
from app.models.members.spells import DepartureReason, Membership


def begin_on(spell: Membership, first: date) -> None:
    spell.valid_from = first


def count_all(spell: Membership) -> None:
    """Her first day is known: counts have her from then on."""
    spell.counted_from = None


def end_on(spell: Membership, last: date) -> None:
    spell.valid_to = last


def reopen(spell: Membership) -> None:
    """It never ended."""
    spell.valid_to = spell.left_by = spell.reason = None


def give_reason(spell: Membership, reason: DepartureReason | None) -> None:
    spell.reason = reason


def give_note(spell: Membership, note: str | None) -> None:
    spell.note = note


def annul(spell: Membership, why: str | None) -> None:
    """It never was."""
    spell.annulled_at = utc_now()
    spell.note = why


def end_like(spell: Membership, other: Membership, note: str | None) -> None:
    """It lasts, or ended, as the annulled one after it did; `note` is the note of that ending."""
    spell.valid_to, spell.left_by, spell.reason = other.valid_to, other.left_by, other.reason
    spell.to_branch_id = None
    if other.valid_to is not None:
        spell.note = note or spell.note
