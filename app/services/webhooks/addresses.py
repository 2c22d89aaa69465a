"""Where events may be sent to: addresses that anybody on the internet can reach, and those of the
networks that the operator allows.

Otherwise who sets up a webhook has this server ask what stands behind its firewall. The text of an
address is looked at when it is set; where its name leads, each time before something is sent.
"""

import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from app.config import Network
from app.errors import invalid
from app.problem_texts import FieldCode

Address = IPv4Address | IPv6Address
_POINTER: Final = "/url"
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
# Spaces and controls are nowhere in an address; others than ASCII are written as %XX and xn--.
_TEXT = re.compile(r"[!-~]+")
# What C libraries read as an IPv4 address, in one to four parts, decimal, octal or hexadecimal.
_NUMBER_LAST = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)", re.IGNORECASE)
_OF_A_MACHINE: Final = ("localhost", "localdomain", "local", "internal", "lan", "home.arpa")
# Some Pythons call parts of these global: what they lead to is an IPv4 address that was not looked at,
# or nothing.
_NOT_PUBLIC: Final = (
    IPv6Network("::/8"),  # unspecified, loopback, IPv4-compatible and IPv4-mapped
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of a site (RFC 8215)
    IPv6Network("100::/64"),
    IPv6Network("2001::/23"),  # Teredo and other assignments of the IETF
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),
    IPv6Network("5f00::/16"),
    IPv6Network("fc00::/7"),
    IPv6Network("fe80::/10"),
    IPv6Network("fec0::/10"),
    IPv6Network("ff00::/8"),
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),  # 6to4 relays
)


@dataclass(frozen=True, slots=True)
class ReceiverAddress:
    """An address of a receiver, in its parts."""

    scheme: str
    host: str
    port: int
    # Path and query.
    target: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def target_of(url: str, allowed: Sequence[Network]) -> ReceiverAddress:
    """The parts of an address; 422 for what is none, and for what by its text alone is not public."""
    parts = _parts(url)
    host, port = _host(parts, allowed), _port(parts)
    if parts.scheme == "http" and not allowed:
        raise invalid("webhook_not_https", _POINTER)
    query = f"?{parts.query}" if parts.query else ""
    usual = 443 if parts.scheme == "https" else 80
    return ReceiverAddress(parts.scheme, host, port or usual, (parts.path or "/") + query)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise invalid("webhook_url_wrong", _POINTER) from None
    if not _TEXT.fullmatch(url) or "\\" in url or "#" in url or "@" in parts.netloc:
        raise invalid("webhook_url_wrong", _POINTER)
    if parts.scheme not in ("https", "http"):
        raise invalid("webhook_not_https", _POINTER)
    return parts


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        raise invalid("webhook_url_wrong", _POINTER)
    return port


def _host(parts: SplitResult, allowed: Sequence[Network]) -> str:
    host = (parts.hostname or "").lower()
    wrong: FieldCode = "webhook_url_wrong"
    if parts.netloc.startswith("["):
        if "%" in host:
            raise invalid(wrong, _POINTER)
        address = _address(host)
    elif _NUMBER_LAST.fullmatch(host.rstrip(".")):
        # Only as four decimal numbers: what else reads as an address is there to deceive.
        address = _address(host)
    elif _HOST.fullmatch(host) is None or len(host) > 253:
        raise invalid(wrong, _POINTER)
    else:
        if not allowed and is_of_a_machine(host):
            raise invalid("webhook_not_public", _POINTER)
        return host
    if not may_be_sent_to(address, allowed):
        raise invalid("webhook_not_public", _POINTER)
    return str(address)


def _address(host: str) -> Address:
    try:
        return ip_address(host)
    except ValueError:
        raise invalid("webhook_not_public", _POINTER) from None


def is_of_a_machine(host: str) -> bool:
    """A name that no public name server knows."""
    return "." not in host or host.endswith(tuple(f".{name}" for name in _OF_A_MACHINE))


def may_be_sent_to(address: Address, allowed: Iterable[Network]) -> bool:
    """It is public and not our own, or in one of these networks."""
    if is_allowed(address, allowed):
        return True
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False
    special = any(address in network for network in _NOT_PUBLIC)
    is_public = address.is_global and not (address.is_multicast or address.is_reserved)
    return is_public and not special and not _is_own(address)


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    return any(address in network for network in allowed)


def _is_own(address: Address) -> bool:
    """This machine has it: what is sent there comes from there. Nothing is sent to find out."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
            probe.connect((str(address), 9))
            return bool(ip_address(probe.getsockname()[0]) == address)
    except OSError:
        return False  # no way leads there


def looked_up(host: str, port: int) -> list[Address]:
    """Where a name leads; OSError where nowhere."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(each[4][0]) for each in found))
