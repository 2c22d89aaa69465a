"""The networks from which a program may come."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self


@dataclass(frozen=True, slots=True)
class AllowedNetworks:
    """Of one program. An address that is none (a socket without one) is in no network."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, written: Iterable[str] | None) -> Self | None:
        """As an account names them; None: it may come from anywhere."""
        return None if written is None else cls(tuple(map(ip_network, written)))

    def have(self, address: str) -> bool:
        found = _parsed(address)
        return found is not None and any(found in each for each in self.networks)


@lru_cache(maxsize=1024)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """IPv4 that is written as IPv6 is IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
