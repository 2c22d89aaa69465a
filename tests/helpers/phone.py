"""A simulated phone: it keeps rows by kind, and applies what it pulls, as a real one does."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from httpx2 import Response

from app.models.sync.pull import MOST_BYTES
from app.services.kernel.manifest import manifest
from tests.helpers.answers import Json
from tests.helpers.client import Api

Slice = Mapping[str, Mapping[str, Json]]
# Pages after which a phone that has not come to a checkpoint would never come to one.
_MOST_PAGES: Final = 2_000


class Phone:
    """`rows` are what is kept: of each kind, rows by their id. `pages` are the items of the last
    pull. `said` are the revision and the unit of each row."""

    def __init__(self, api: Api, **query: Any) -> None:
        self.api = api
        self.query = query
        self.max_bytes = MOST_BYTES
        self.cursor: str | None = None
        self.rows: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        self.said: dict[tuple[str, str], tuple[int, int]] = {}
        self.pages: list[list[Json]] = []
        self.started_over: list[str] = []

    @property
    def items(self) -> list[Json]:
        return [item for page in self.pages for item in page]

    def ask(self) -> Response:
        """The next page, as it is answered."""
        query = self.query | {"max_bytes": self.max_bytes}
        if self.cursor is not None:
            query = {"max_bytes": self.max_bytes, "cursor": self.cursor}
        return self.api.get("/v1/sync/changes", params=query)

    def pull(self, between: Callable[[], object] = lambda: None) -> list[Json]:
        """Pull until there is nothing more; `between` is done between two pages."""
        self.pages = []
        for _ in range(_MOST_PAGES):
            answer = self.ask()
            if answer.status_code == 409:
                self.start_over(answer.json()["reason"])
                continue
            if answer.status_code == 403 and self.cursor is None:
                return []  # no right to anything: nothing is kept
            assert answer.status_code == 200, answer.text
            if self.take(answer.json()):
                return self.items
            between()
        raise AssertionError("the phone never comes to a checkpoint")

    def take(self, page: Json) -> bool:
        """Apply a page; whether it ends with a checkpoint."""
        for item in page["items"]:
            self._apply(item)
        self.pages.append(page["items"])
        self.cursor = page["cursor"]
        return bool(page["checkpoint"])

    def start_over(self, reason: str) -> None:
        self.started_over.append(reason)
        self.cursor = None
        self.rows.clear()

    def _apply(self, item: Json) -> None:
        kept = self.rows[item["kind"]]
        if item["op"] in ("upsert", "entered_scope"):
            kept[str(item["id"])] = item["row"]
            self.said[item["kind"], str(item["id"])] = item["revision"], item["unit_id"]
        else:
            kept.pop(str(item["id"]), None)

    @property
    def slice(self) -> Slice:
        return {kind: dict(rows) for kind, rows in self.rows.items() if rows}

    @property
    def records(self) -> Slice:
        """Without the data of the release, which is for everybody."""
        data = manifest().sync_data
        return {kind: rows for kind, rows in self.slice.items() if kind not in data}

    def checksums(self) -> dict[tuple[str, int], str]:
        """By kind and unit, as the contract says they are reckoned."""
        sums: defaultdict[tuple[str, int], int] = defaultdict(int)
        for kind, rows in self.rows.items():
            for key, row in rows.items():
                revision, unit_id = self.said[kind, key]
                text = f"{key}:{revision}:{','.join(row.get('masked', ()))}"
                sums[kind, unit_id] += int(sha256(text.encode()).hexdigest()[:16], 16)
        return {where: f"{total % 2**64:016x}" for where, total in sums.items()}


def fresh_slice(api: Api, **query: Any) -> Slice:
    """What a phone that begins now keeps: nothing where there is no right to anything."""
    phone = Phone(api, **query)
    phone.pull()
    return phone.slice


def differing(phone: Phone, fresh: Slice) -> list[tuple[str, str]]:
    """Kinds and keys of what a phone has and should not, has not, or has otherwise. Who may read no
    record any more keeps the data of the release, which is nobody's."""
    kinds = {*fresh, *phone.slice} - (set() if fresh else manifest().sync_data.keys())
    return [
        (kind, key)
        for kind in sorted(kinds)
        for key in sorted({*phone.slice.get(kind, {}), *fresh.get(kind, {})})
        if phone.slice.get(kind, {}).get(key) != fresh.get(kind, {}).get(key)
    ]


def listed(api: Api, path: str, **query: Any) -> dict[str, Json]:
    """All rows of a list of the API, by their id."""
    rows: dict[str, Json] = {}
    asked = query | {"limit": 200}
    while True:
        answer = api.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        rows |= {str(row["id"]): row for row in page["items"]}
        if page["next_cursor"] is None:
            return rows
        asked |= {"cursor": page["next_cursor"]}
