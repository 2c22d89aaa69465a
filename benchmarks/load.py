"""Load from keep-alive connections on one core, and the CPU time the server on another pays.

The load is a closed loop: every connection sends its next request as soon as it has its answer.
Figures come from windows of 50 ms, because neighbours on a shared host slow a core by half for
tens of milliseconds at a time: the 20th percentile of "CPU per request" is what the work costs
in the quiet ones. Linux only (affinity, CPU clocks of other processes).
"""

import gc
import os
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 16
WINDOW_NS = 50_000_000
ANSWER_TIMEOUT_SECONDS = 20.0


class BadAnswer(Exception):
    """The server answered with something else than a complete 200."""


# -- cores


def two_cores() -> tuple[int, int]:
    """One core for the server, another for everything else."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("the benchmarks need two cores: one for the server, one for the load")
    return cores[0], cores[1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run the block on one core; processes started in it inherit that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# -- CPU time of other processes


def process_tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += process_tree(int(child))
    return pids


def cpu_clock(pid: int) -> int:
    """What clock_getcpuclockid(3) answers: the clock of all threads of one process, in ns."""
    return ~pid << 3 | 2


def cpu_reader(pid: int) -> Callable[[], int]:
    """A function that sums the CPU time of the process tree as it is now."""
    clocks = [cpu_clock(each) for each in process_tree(pid)]
    return lambda: sum(map(time.clock_gettime_ns, clocks))


# -- HTTP


def request(
    method: str, path: str, token: str, body: bytes | None = None, host: str = "127.0.0.1"
) -> bytes:
    """The bytes of one HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", f"authorization: Bearer {token}"]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def answer_length(received: bytes) -> int | None:
    """How long the whole answer will be; None while its head is not complete."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    if not received.startswith(b"HTTP/1.1 200 "):
        raise BadAnswer(received[:600].decode(errors="replace"))
    head = received[: head_end + 2].lower()
    name = head.find(b"\r\ncontent-length:")
    if name < 0:
        raise BadAnswer("an answer without content-length")
    value = name + len(b"\r\ncontent-length:")
    return head_end + 4 + int(head[value : head.find(b"\r\n", value)])


class _Connection:
    """One keep-alive connection with at most one request under way."""

    __slots__ = ("expected", "received", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = b""
        self.expected: int | None = None
        self.sent_at = 0

    def send(self, message: bytes) -> None:
        self.received, self.expected = b"", None
        self.sent_at = time.perf_counter_ns()
        if self.socket.send(message) != len(message):
            raise BadAnswer("the kernel did not take a whole request at once")

    def answered(self) -> bool:
        """Read what has come; True when the answer is complete."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise BadAnswer("the server closed a connection")
        self.received = self.received + chunk if self.received else chunk
        if self.expected is None:
            self.expected = answer_length(self.received)
        if self.expected is None or len(self.received) < self.expected:
            return False
        if len(self.received) > self.expected:
            raise BadAnswer("an answer longer than its content-length")
        return True


# -- measuring


@dataclass(frozen=True, slots=True)
class Window:
    requests: int
    cpu_ns: int
    wall_ns: int


@dataclass(slots=True)
class Sample:
    """All windows and latencies of one server and endpoint, over all rounds."""

    windows: list[Window] = field(default_factory=list)
    latencies_ns: list[int] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        """CPU µs per request, 20th percentile over the windows."""
        costs = [w.cpu_ns / w.requests / 1000 for w in self.windows if w.requests]
        return percentile(costs, 0.20)

    @property
    def requests_per_second(self) -> float:
        """80th percentile over the windows."""
        return percentile([w.requests / w.wall_ns * 1e9 for w in self.windows], 0.80)

    @property
    def busy(self) -> float:
        """Share of its core the server used (median); well below 1, the load was the limit."""
        return percentile([w.cpu_ns / w.wall_ns for w in self.windows], 0.50)

    def latency_us(self, share: float) -> float:
        return percentile(self.latencies_ns, share) / 1000


def percentile(values: Sequence[float], share: float) -> float:
    if not values:
        raise ValueError("nothing was measured")
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def drive(
    port: int,
    requests: Iterator[bytes],
    cpu_ns: Callable[[], int],
    seconds: float,
    sample: Sample,
    *,
    connections: int = CONNECTIONS,
) -> None:
    """Load the server for a while and add what was seen to `sample`."""
    open_connections = [_Connection(port) for _ in range(connections)]
    poll = select.epoll()
    by_descriptor = {each.socket.fileno(): each for each in open_connections}
    gc.disable()
    try:
        for descriptor, connection in by_descriptor.items():
            poll.register(descriptor, select.EPOLLIN)
            connection.send(next(requests))
        _first_answers(poll, by_descriptor, requests)
        _measure(poll, by_descriptor, requests, cpu_ns, seconds, sample)
    finally:
        gc.enable()
        poll.close()
        for connection in open_connections:
            connection.socket.close()


def _first_answers(
    poll: select.epoll, connections: dict[int, _Connection], requests: Iterator[bytes]
) -> None:
    """Let every connection be served once before the clock starts."""
    waiting = set(connections)
    while waiting:
        for descriptor, _ in _ready(poll):
            if connections[descriptor].answered():
                waiting.discard(descriptor)
                connections[descriptor].send(next(requests))


def _measure(
    poll: select.epoll,
    connections: dict[int, _Connection],
    requests: Iterator[bytes],
    cpu_ns: Callable[[], int],
    seconds: float,
    sample: Sample,
) -> None:
    clock = time.perf_counter_ns
    latencies = sample.latencies_ns
    done = 0
    started, spent = clock(), cpu_ns()
    end = started + int(seconds * 1e9)
    under_way = len(connections)
    while under_way:
        for descriptor, _ in _ready(poll):
            connection = connections[descriptor]
            if not connection.answered():
                continue
            now = clock()
            latencies.append(now - connection.sent_at)
            done += 1
            if now < end:
                connection.send(next(requests))
            else:
                under_way -= 1
        now = clock()
        # A slow server's window lasts until each connection had an answer or so: fewer would make
        # the cost of one window depend on where its edges fall. The last, partial window only
        # waits for the answers under way and does not count.
        full = now - started >= WINDOW_NS and done >= len(connections)
        if full and under_way == len(connections):
            cpu = cpu_ns()
            sample.windows.append(Window(done, cpu - spent, now - started))
            done, started, spent = 0, now, cpu


def _ready(poll: select.epoll) -> list[tuple[int, int]]:
    events = poll.poll(ANSWER_TIMEOUT_SECONDS)
    if not events:
        raise BadAnswer(f"no answer for {ANSWER_TIMEOUT_SECONDS:.0f} s")
    return events
