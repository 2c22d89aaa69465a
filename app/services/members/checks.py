"""Warnings about a member's record: what looks wrong is stored all the same, never refused.

An officer copies a paper; the paper may be wrong, and so may our rule.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col

from app import citizen_ids
from app.clock import local_today
from app.db import vault_of
from app.errors import FieldError
from app.models.kernel.access import Right
from app.models.members.members import (
    Gender,
    Identifier,
    Member,
    MemberIdentifier,
    MemberKind,
    Warned,
)
from app.person_names import NameRepair, read_name
from app.problem_texts import FieldCode, Language
from app.services.kernel.access import Actor
from app.services.members import elsewhere
from app.services.members.identifiers import digests_of
from app.text import has_given, tidy

_OF_AGE = 18
_MOST_OTHERS = 20


class Doubt(NamedTuple):
    """A warning about a field; `params` are those of its text."""

    field: str
    code: FieldCode
    params: dict[str, Any]


def doubts_about(
    session: Session,
    actor: Actor,
    member: Mapping[str, Any],
    written: Container[str],
    shown: Callable[[str], bool],
) -> list[Doubt]:
    """Warnings for a record whose fields in `written` have just been written.

    There is none for a field that is neither written nor `shown`. Another holder of the citizen id
    is looked up only when it is written: one query less for every other correction.
    """
    found: list[Doubt] = []
    number: str | None = member["citizen_id"]
    if number is not None and ("citizen_id" in written or shown("citizen_id")):
        found += _of_citizen_id(number, member)
        if "citizen_id" in written:
            found += _of_others(session, actor, member)
    return [*found, *_of_membership(member)]


def as_errors(doubts: Iterable[Doubt]) -> list[FieldError]:
    """As warnings that point at the fields."""
    return [FieldError("body", f"/{doubt.field}", doubt.code, doubt.params) for doubt in doubts]


def warnings(doubts: Iterable[Doubt], language: Language) -> list[dict[str, str | None]]:
    """As Warned."""
    rendered = [each.render(language) for each in as_errors(doubts)]
    return [{name: each.get(name) for name in Warned.model_fields} for each in rendered]


def name_doubts(typed: str | None) -> Iterator[Doubt]:
    """What was changed in a name so that it could be stored."""
    if typed is None:
        return
    name = read_name(typed)
    repair: NameRepair
    for repair in name.repairs:
        yield Doubt("full_name", repair, {"typed": tidy(typed), "name": name.text})


def given_doubts(old: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Doubt]:
    """A given name went with the old name, of which it was a part."""
    given = old["given_name"]
    if now["given_name"] is None and given is not None and not has_given(now["full_name"], given):
        yield Doubt("given_name", "given_name_dropped", {"given": given})


def plain_doubts(member: Mapping[str, Any]) -> list[Doubt]:
    """What looks wrong in a new record by itself, all of it written now: no look-ups."""
    number: str | None = member["citizen_id"]
    return [*(_of_citizen_id(number, member) if number else ()), *_of_membership(member)]


def _of_citizen_id(number: str, member: Mapping[str, Any]) -> Iterator[Doubt]:
    year = citizen_ids.birth_year(number)
    if year is None:
        yield Doubt("citizen_id", "citizen_id_century", {"digit": number[3]})
        return
    gender = Gender.female if citizen_ids.is_of_woman(number) else Gender.male
    if gender != member["gender"]:
        yield Doubt("citizen_id", "citizen_id_gender", {"digit": number[3]})
    if year != member["birth_year"]:
        yield Doubt("citizen_id", "citizen_id_birth_year", {"year": str(year)})


def _of_others(session: Session, actor: Actor, member: Mapping[str, Any]) -> Iterator[Doubt]:
    """Another member anywhere has the number: reported without naming who or where."""
    digests = digests_of(vault_of(session), Identifier.citizen_id, "exact", member["citizen_id"])
    statement = (
        sa.select(col(Member.province_id), col(Member.commune_id), col(Member.branch_id))
        .join(MemberIdentifier, col(MemberIdentifier.member_id) == col(Member.id))
        .where(col(MemberIdentifier.exact).in_(digests), col(Member.id) != member["id"])
    )
    others = session.execute(statement.limit(_MOST_OTHERS)).all()
    if any(actor.covers(Right.members_read, other) for other in others):
        yield Doubt("citizen_id", "citizen_id_known", {})
    elif not elsewhere.may_ask(session, actor):
        yield Doubt("citizen_id", "not_compared_elsewhere", {})
    elif others and elsewhere.count(session, actor, [member["citizen_id"]]):
        yield Doubt("citizen_id", "citizen_id_known", {})
        elsewhere.tell_if_used_up(session, actor)


def _of_membership(member: Mapping[str, Any]) -> Iterator[Doubt]:
    regular = member["kind"] == MemberKind.regular
    if regular and member["gender"] == Gender.male:
        yield Doubt("kind", "man_not_honorary", {})
    joined = member["joined_on"]
    year = local_today().year if joined is None else int(joined[:4])
    if regular and year - member["birth_year"] < _OF_AGE:
        field = "birth_date" if joined is None else "joined_on"
        yield Doubt(field, "joined_under_age", {"age": str(_OF_AGE)})
