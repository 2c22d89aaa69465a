"""What an account of a program has besides rights: its purpose, a contact, its networks, its last day."""

from collections.abc import Mapping, Sequence
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from app.clock import local_today
from app.errors import Problem, invalid
from app.models.kernel.accounts import Account, AccountCreate, AccountKind
from app.services.identity import accounts as rows

FIELDS = frozenset({"purpose", "contact", "networks", "valid_to"})
_NEEDED = ("purpose", "contact")
_Network = IPv4Network | IPv6Network


def describe(account: Account, body: AccountCreate) -> None:
    """Enter what the request says of the program; of a person it says nothing."""
    given = body.model_dump(include=set(FIELDS), exclude_none=True)
    if account.kind is not AccountKind.client:
        _ensure_none(given)
        return
    for name in _NEEDED:
        if name not in given:
            raise invalid("required", f"/{name}")
    _enter(account, given)


def change(account: Account, changed: dict[str, Any]) -> bool:
    """Take the fields of a program out of a change and enter them; whether it may do more than before:
    come from elsewhere, or for longer."""
    given = {name: changed.pop(name) for name in FIELDS & changed.keys()}
    if account.kind is not AccountKind.client:
        _ensure_none(given)
        return False
    is_wider = ("valid_to" in given and _later(given["valid_to"], account.valid_to)) or (
        "networks" in given and _elsewhere(given["networks"], account.networks)
    )
    _enter(account, given)
    return is_wider


def _ensure_none(given: Mapping[str, Any]) -> None:
    if given:
        raise Problem("wrong_account_kind", kind=AccountKind.client)


def _enter(account: Account, given: Mapping[str, Any]) -> None:
    last_day = given.get("valid_to")
    if last_day is not None and last_day < local_today() and last_day != account.valid_to:
        raise invalid("date_in_past", "/valid_to")
    rows.describe(account, given)


def _later(new: date | None, old: date | None) -> bool:
    return old is not None and (new is None or new > old)


def _elsewhere(new: Sequence[str] | None, old: Sequence[str] | None) -> bool:
    if old is None:
        return False
    known = [ip_network(each) for each in old]
    return new is None or not all(_within(ip_network(each), known) for each in new)


def _within(network: _Network, known: Sequence[_Network]) -> bool:
    return any(
        network.version == each.version
        and network.prefixlen >= each.prefixlen
        and network.network_address in each
        for each in known
    )
