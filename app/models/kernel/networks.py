"""What is known of a program besides its rights: what it is for, and the networks it comes from."""

from ipaddress import IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from app.models.base import line


def _network(value: str) -> str:
    """A network as it is written; an address alone is a network of one."""
    try:
        found = ip_network(value.strip())
    except ValueError:
        raise ValueError("network_invalid") from None
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise ValueError("network_invalid")
    return str(found)


Network = Annotated[
    str,
    Field(max_length=64, examples=["203.0.113.0/24"]),
    AfterValidator(_network),
]
Networks = Annotated[list[Network], Field(min_length=1, max_length=50)]
Purpose = Annotated[str, *line(200)]
Contact = Annotated[str, *line(200)]
