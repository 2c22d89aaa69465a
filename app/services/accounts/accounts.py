"""Accounts: created, invited, disabled and reset by an officer of the unit or above.

Nobody grants more than they hold, and nobody gets into an account that holds more, neither by a
reset nor by having invited the account before: that keeps the administrator, who runs accounts,
away from members' data.
"""

from functools import partial
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import vault_of
from app.errors import Problem, invalid, not_found
from app.models.kernel.access import (
    NOT_DELEGABLE,
    ROLE_LEVEL,
    ROLE_RIGHTS,
    GrantCreate,
    Right,
    Role,
)
from app.models.kernel.accounts import (
    Account,
    AccountCreate,
    AccountInvited,
    AccountKind,
    AccountRead,
    AccountStatus,
    AccountUpdate,
)
from app.models.kernel.sessions import RevokedReason
from app.models.kernel.units import Unit
from app.services.accounts import programs
from app.services.accounts.reading import written
from app.services.cadres import appointments
from app.services.identity import accounts as rows
from app.services.identity import client_secrets, external_logins, grants, sessions
from app.services.identity.accounts import Credential
from app.services.identity.lockout import TriedName
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Expected, ensure, ensure_revision, require_somewhere
from app.services.kernel.actors import past_of
from app.services.kernel.created_once import holds, insert
from app.services.members import persons
from app.services.units.rows import hold_units, unit_of
from app.services.units.units import ensure_open, find_target

_WHOSE = sa.select(col(Account.member_id)).where(col(Account.id) == sa.bindparam("account_id"))


def access_account(
    session: Session,
    actor: Actor,
    account_id: UUID,
    right: Right,
    *,
    becoming: UUID | None = None,
) -> tuple[Account, Unit]:
    """The account, locked, and its unit; 404 out of scope, 403 without the right.

    The account's member, and the one it is `becoming`, are locked first: acts on a member start
    with the member.
    """
    member_id = session.execute(_WHOSE, {"account_id": account_id}).scalar_one_or_none()
    people = {each for each in (member_id, becoming) if each is not None}
    if people:
        persons.hold_alone(session, people)
    account = rows.hold(session, account_id)
    if account is None:
        require_somewhere(session, actor, Right.accounts_read)
        raise not_found()
    if account.member_id != member_id:
        raise Problem("unavailable", retry_after=1)  # linked or unlinked in this very moment
    unit = unit_of(session, account.unit_id)
    ensure(session, actor, right, unit, seen_with=Right.accounts_read)
    return account, unit


def create(
    session: Session, signin: Signin, actor: Actor, body: AccountCreate, *, printable: bool = False
) -> tuple[AccountInvited, bool]:
    """A new account: a person gets a one-time code to sign in with, a client its secret.

    `printable`: the code can be printed again by whoever made it (`sheets`).

    The same id with the same content again is no second account, and shows no secret again.
    """
    hold_units(session, [body.unit_id, *(grant.unit_id for grant in body.grants)])
    unit = find_target(session, actor, body.unit_id, Right.accounts_write, pointer="/unit_id")
    credential = Credential()

    def made() -> Account:
        nonlocal credential
        ensure_open(unit, local_today())
        account = rows.new(body.kind, body.username, body.display_name, body.unit_id)
        programs.describe(account, body)
        if account.kind is AccountKind.client:
            client_secrets.arm(account, by=actor.account_id)
        else:
            credential = rows.arm(
                account,
                signin.settings.one_time_code_days,
                by=actor.account_id,
                printable=vault_of(session) if printable else None,
            )
        if body.member_id is not None:
            _link(session, actor, account, body.member_id)
        return account

    account, is_new = rows.create_once(
        session,
        body.id,
        made,
        same=partial(_is_same, session, body),
        taken={
            "uq_account_username": Problem("username_taken", username=body.username),
            "uq_account_member_id": Problem("member_has_account"),
        },
    )
    if not is_new:
        return _invited(session, actor, account, Credential()), False
    if account.kind is AccountKind.client:
        credential = Credential(secret=client_secrets.add(session, account).secret)
    for place, grant in enumerate(body.grants):
        _grant(session, actor, account, grant, pointer=f"/grants/{place}")
    if body.member_id is not None:
        appointments.give_grants_of(session, actor, body.member_id)
    return _invited(session, actor, account, credential), True


def _link(session: Session, actor: Actor, account: Account, member_id: UUID) -> None:
    """Link the account to a member.

    A person who can sign in with it will read the member's record.
    """
    if account.kind is not AccountKind.person:
        raise Problem("wrong_account_kind", kind=AccountKind.person)
    if account.id == actor.account_id:
        raise Problem("own_account")
    # Locked alone: an appointment made at the same moment must find the account, or the account the
    # appointment.
    person = persons.find_member(session, actor, member_id, pointer="/member_id", alone=True)
    branch = unit_of(session, person.branch_id)
    rights = grants.OF_HER_RECORD
    grants.ensure_holds(actor, rights, branch, Role.member)
    grants.ensure_armer_holds(session, actor, account, rights, branch, Role.member)
    rows.link(account, member_id)


def _unlink(session: Session, actor: Actor, account: Account) -> None:
    """Remove a wrong link, with everything the account got by it."""
    if account.id == actor.account_id:
        raise Problem("own_account")
    _ensure_reads_record(session, actor, account)
    rows.link(account, None)
    grants.remove_as_member(session, account.id)


def _ensure_reads_record(session: Session, actor: Actor, account: Account) -> None:
    """The actor may read everything that the account's member reads of her own record."""
    if account.member_id is not None:
        branch = unit_of(session, persons.lock(session, account.member_id).branch_id)
        grants.ensure_holds(actor, grants.OF_HER_RECORD, branch, Role.member)


def _is_same(session: Session, body: AccountCreate, existing: Account) -> bool:
    fields = {"kind", "username", "display_name", "unit_id", "member_id"} | programs.FIELDS
    sent = body.model_dump(include=fields)
    if not holds(sent)(existing):
        return False
    held = grants.given_to(session, existing.id)
    return len(held) == len(body.grants) and all(
        getattr(grant, name) == value
        for grant, asked in zip(held, body.grants, strict=True)
        for name, value in asked.model_dump(exclude_none=True).items()
    )


def _arm_again(session: Session, signin: Signin, actor: Actor, account: Account) -> Credential:
    """What opened it before opens it no longer."""
    if account.kind is AccountKind.person:
        external_logins.unlink_all(session, account.id)
        return rows.arm(account, signin.settings.one_time_code_days, by=actor.account_id)
    client_secrets.revoke_all(session, account.id)
    client_secrets.arm(account, by=actor.account_id)
    return Credential(secret=client_secrets.add(session, account).secret)


def _invited(
    session: Session, actor: Actor, account: Account, credential: Credential
) -> AccountInvited:
    return AccountInvited(
        **written(session, actor, account.id).model_dump(),
        code=credential.code,
        code_expires_at=account.code_expires_at if credential.code else None,
        client_secret=credential.secret,
    )


def update(
    session: Session,
    signin: Signin,
    actor: Actor,
    account_id: UUID,
    body: AccountUpdate,
    expected: Expected,
) -> AccountRead:
    """Change the name shown, what is known of a program, or link a member, with the roles of her posts.

    Null removes a wrong link; whoever may read what it shows may do so. A program that may come from
    elsewhere or for longer gets all its rights there: the actor must hold as much.
    """
    changed = body.model_dump(exclude_unset=True)
    account, _ = access_account(
        session, actor, account_id, Right.accounts_write, becoming=changed.get("member_id")
    )
    ensure_revision(account.revision, expected)
    if programs.change(account, changed):
        ensure_holds_all(session, actor, account)
    member_id = changed.pop("member_id", account.member_id)
    if "display_name" in changed:
        rows.rename(account, changed["display_name"])
    if member_id == account.member_id:
        session.flush()
        signin.forget(account_id=account.id)
        return written(session, actor, account.id)
    if member_id is None:
        grants.forget_tokens(session, signin, account.id)
        _unlink(session, actor, account)
        return written(session, actor, account.id)
    if account.member_id is not None:
        raise Problem("account_linked")
    _link(session, actor, account, member_id)
    insert(session, [account], {"uq_account_member_id": Problem("member_has_account")})
    appointments.give_grants_of(session, actor, member_id)
    signin.forget(account_id=account.id)
    return written(session, actor, account.id)


def disable(session: Session, signin: Signin, actor: Actor, account_id: UUID) -> AccountRead:
    """Shut an account out at once, everywhere within 5 s; its delegations end."""
    account, _ = access_account(session, actor, account_id, Right.accounts_write)
    if account.id == actor.account_id:
        raise Problem("own_account")
    sessions.shut_out(session, account)
    grants.forget_tokens(session, signin, account.id)
    grants.end_handed_on(session, account.id)
    return written(session, actor, account.id)


def enable(session: Session, actor: Actor, account_id: UUID) -> AccountRead:
    """Enable a disabled account, with the password it had (or by a reset).

    It gives back all rights of the account, so the actor must hold as much.
    """
    account, _ = access_account(session, actor, account_id, Right.accounts_write)
    if account.status is not AccountStatus.disabled:
        raise Problem("account_state", status=account.status)
    ensure_holds_all(session, actor, account)
    rows.let_in(account)
    session.flush()
    return written(session, actor, account.id)


def reset(session: Session, signin: Signin, actor: Actor, account_id: UUID) -> AccountInvited:
    """A new one-time code (person) or secret (client); every session ends, and so does every
    delegation: whoever had the old one may have given it.

    A reset lets the actor sign in with the account, so the actor must hold all it holds.
    """
    account, _ = access_account(session, actor, account_id, Right.accounts_write)
    if account.status is AccountStatus.disabled:
        raise Problem("account_state", status=account.status)
    ensure_holds_all(session, actor, account)
    credential = _arm_again(session, signin, actor, account)
    session.flush()
    grants.forget_tokens(session, signin, account.id)
    grants.end_handed_on(session, account.id)
    sessions.revoke_all(session, signin, account.id, RevokedReason.by_officer)
    signin.lockout.unlock(TriedName(account.kind, account.username))
    return _invited(session, actor, account, credential)


def ensure_holds_all(session: Session, actor: Actor, account: Account) -> None:
    """The actor holds every right of every grant of the account, today's and later ones and those by
    which it counts in the past, and may read the record of the member whose account it is."""
    for grant in session.exec(grants.open_grants(account.id)):
        unit = unit_of(session, grant.unit_id)
        grants.ensure_holds(actor, grants.rights_of(grant), unit, grant.role)
    for past in past_of(session, account.id):
        grants.ensure_holds(actor, past.rights, unit_of(session, past.unit_id), past.role)
    _ensure_reads_record(session, actor, account)


# -- grants

# A delegation is given by who holds the rights: POST /v1/delegations.
_GRANTABLE = tuple(role for role in Role if role is not Role.delegate)


def add_grant(
    session: Session, signin: Signin, actor: Actor, account_id: UUID, body: GrantCreate
) -> AccountRead:
    """Give an account a role over a unit."""
    hold_units(session, [body.unit_id])
    account, _ = access_account(session, actor, account_id, Right.accounts_write)
    _grant(session, actor, account, body, pointer="")
    signin.forget(account_id=account.id)
    return written(session, actor, account.id)


def _grant(
    session: Session, actor: Actor, account: Account, body: GrantCreate, *, pointer: str
) -> None:
    unit = find_target(
        session, actor, body.unit_id, Right.accounts_grant, pointer=f"{pointer}/unit_id"
    )
    if body.role is Role.delegate:
        raise invalid("not_in_list", f"{pointer}/role", allowed=_GRANTABLE)
    level = ROLE_LEVEL.get(body.role)
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", f"{pointer}/unit_id", expected=level)
    rights = ROLE_RIGHTS[body.role] | _rights_of_program(account, body, pointer)
    grants.ensure_holds(actor, rights, unit, body.role)
    grants.ensure_armer_holds(session, actor, account, rights, unit, body.role)
    valid_from = body.valid_from or local_today()
    ensure_open(unit, max(valid_from, local_today()))
    if body.valid_to is not None and body.valid_to < valid_from:
        raise invalid("dates_reversed", f"{pointer}/valid_to")
    for other in session.exec(grants.open_grants(account.id)):
        same = other.unit_id == unit.id and other.role == body.role
        ends_before = other.valid_to is not None and other.valid_to < valid_from
        begins_after = body.valid_to is not None and body.valid_to < other.valid_from
        if same and not ends_before and not begins_after:
            raise Problem("grant_exists", role=body.role, unit=unit.name)
    given = grants.new(
        account.id,
        body.unit_id,
        body.role,
        valid_from,
        valid_to=body.valid_to,
        granted_by=actor.account_id,
        rights=body.rights,
    )
    grants.give(session, given)


def _rights_of_program(account: Account, body: GrantCreate, pointer: str) -> frozenset[Right]:
    """The rights that the grant of a program lists; any other role has its own."""
    if body.role is not Role.program:
        if body.rights is not None:
            raise invalid("not_together", f"{pointer}/rights", expected="role")
        return frozenset()
    if account.kind is not AccountKind.client:
        raise Problem("wrong_account_kind", kind=AccountKind.client)
    if body.rights is None:
        raise invalid("required", f"{pointer}/rights")
    for place, right in enumerate(body.rights):
        if right in NOT_DELEGABLE:
            raise invalid("right_not_delegable", f"{pointer}/rights/{place}")
    return frozenset(body.rights)


def end_grant(
    session: Session, signin: Signin, actor: Actor, account_id: UUID, grant_id: UUID
) -> AccountRead:
    """Take a role away from now on; what it was stays in the record."""
    account, _ = access_account(session, actor, account_id, Right.accounts_write)
    grant = grants.hold(session, grant_id)
    if grant is None or grant.account_id != account.id:
        raise not_found()
    unit = unit_of(session, grant.unit_id)
    ensure(session, actor, Right.accounts_grant, unit, seen_with=Right.accounts_read)
    if grant.appointment_id is not None:
        raise Problem("grant_follows_post", extra={"appointment_id": str(grant.appointment_id)})
    grants.forget_tokens(session, signin, account.id)
    grants.remove(session, grant)
    return written(session, actor, account.id)
