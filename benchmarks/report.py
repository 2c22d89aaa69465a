"""The table: figures beside the limits they are held to."""

from enum import StrEnum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table


class Endpoint(StrEnum):
    detail = "detail"
    list = "list"
    write = "write"


# The limits: CPU per request as a multiple of the floor's.
FLOOR_LIMITS = {
    "postgresql": {Endpoint.detail: 5.0, Endpoint.list: 4.0, Endpoint.write: 5.0},
    "sqlite": {Endpoint.detail: 8.0, Endpoint.list: 3.5, Endpoint.write: 7.0},
}
PEER_LIMIT = 4.0  # times the peer's requests per second, at least
START_LIMIT_SECONDS = 2.0
MEMORY_LIMIT_MB = 150.0
# A server that used less of its core than this was waiting for the load or for PostgreSQL.
SATURATED = 0.85


def verdict(*, good: bool) -> str:
    return "[green]ok[/]" if good else "[bold red]miss[/]"


def table(results: list[dict[str, Any]]) -> Table:
    shown = Table(
        title="One core, 16 connections: CPU µs per request (x floor: at most), and\n"
        "requests per second (x DRF: at least)",
        caption="* waited for the load or for PostgreSQL: could serve more",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    shown.add_column("request", no_wrap=True)
    for heading in ("floor µs", "Hội Số µs", "x floor", "DRF µs", "x floor"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for heading in ("Hội Số rps", "DRF rps", "x DRF"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        for name, by_server in result["endpoints"].items():
            floor, hoiso, drf = (by_server[each] for each in ("floor", "hoiso", "drf"))
            cost = hoiso["cpu_us"] / floor["cpu_us"]
            limit = FLOOR_LIMITS[result["database"]][Endpoint(name)]
            gain = hoiso["requests_per_second"] / drf["requests_per_second"]
            shown.add_row(
                f"{result['database']} {name}",
                f"{floor['cpu_us']:,.0f}",
                f"{hoiso['cpu_us']:,.0f}",
                f"{cost:.1f} of {limit:g} {verdict(good=cost <= limit)}",
                f"{drf['cpu_us']:,.0f}",
                f"{drf['cpu_us'] / floor['cpu_us']:.1f}",
                *(rate(each) for each in (hoiso, drf)),
                f"{gain:.1f} of {PEER_LIMIT:g} {verdict(good=gain >= PEER_LIMIT)}",
            )
        shown.add_section()
    return shown


def rate(figures: dict[str, float]) -> str:
    waited = "*" if figures["busy"] < SATURATED else ""
    return f"{figures['requests_per_second']:,.0f}{waited}"


def start_and_memory(result: dict[str, Any]) -> str:
    seconds, megabytes = result["start_seconds"], result["idle_megabytes"]
    return (
        f"{result['database']}: ready in {seconds:.2f} s, {result['start_cpu_seconds']:.2f} s of CPU "
        f"(limit {START_LIMIT_SECONDS:g}) {verdict(good=seconds < START_LIMIT_SECONDS)}, "
        f"idle at {megabytes:.0f} MB "
        f"(limit {MEMORY_LIMIT_MB:g}) {verdict(good=megabytes < MEMORY_LIMIT_MB)}"
    )
