"""The floor: as little Python as can answer the same three requests with the same SQL effect.

One ASGI function under uvicorn, no framework, the bare driver, JSON built by the database, each
token verified once. It serves a branch head and nobody else, validates no input, keeps numbers
in plain text and no record of who read them: this is what the work costs before anybody makes
it safe or pleasant.

PostgreSQL through psycopg, which is Hội Số's driver too, or with FLOOR_DRIVER=asyncpg through
the cheapest driver there is; SQLite through `sqlite3`, in the event loop.

Started by run.py with FLOOR_DATABASE_URL and FLOOR_SECRET set.
"""

import hmac
import json
import os
import sqlite3
import time
from abc import ABC, abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import psycopg
from uuid_utils import uuid7

from benchmarks import tokens

DATABASE_URL = os.environ["FLOOR_DATABASE_URL"]
SECRET = os.environ["FLOOR_SECRET"]
# One connection for each of the load's: nobody ever waits for one.
CONNECTIONS = 16

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scope:
    """The caller, and the one branch in scope with the units above it."""

    account_id: UUID
    session_id: UUID
    expires: float
    province_id: int
    commune_id: int
    branch_id: int


class Database(Protocol):
    async def open(self) -> None: ...

    async def path(self, account_id: UUID) -> tuple[int, int, int]: ...

    async def detail(self, scope: Scope, member_id: str) -> bytes | None: ...

    async def page(self, scope: Scope, limit: int) -> bytes: ...

    async def update(self, scope: Scope, member_id: str, address: str) -> bytes | None: ...


def cursor(sort_key: str, member_id: str) -> str:
    """Opaque and signed: the keyset of the last item."""
    keyset = f"{sort_key}\n{member_id}".encode()
    return urlsafe_b64encode(hmac.digest(SECRET.encode(), keyset, "sha256")[:16] + keyset).decode()


class PostgreSQL(ABC):
    # What a branch head sees of a member: not her origin, religion or politics.
    MEMBER = """
        row_to_json((SELECT seen FROM (SELECT
            m.id, m.full_name, m.given_name, m.birth_date, m.gender, m.kind, m.status, m.branch_id, m.commune_id,
            m.province_id, m.joined_on, m.core, m.phone, m.citizen_id, m.id_card, m.address,
            m.hometown, null::text AS ethnicity, null::text AS religion, null::text AS party,
            null::text AS party_joined_on, m.education, m.qualification, m.occupation,
            m.household_id, m.photo, m.restricted, m.revision,
            array['ethnicity', 'religion', 'party', 'party_joined_on'] AS masked
        ) AS seen))::text"""

    # As of today no field is of another day.
    READ = MEMBER.replace("AS masked", "AS masked, array[]::text[] AS not_dated")

    PATH = """
        SELECT u.province_id, u.commune_id, u.branch_id
        FROM access_grant g JOIN unit u ON u.id = g.unit_id
        WHERE g.account_id = $1::uuid AND g.role = 'branch_head'
            AND g.valid_from <= current_date AND coalesce(g.valid_to, current_date) >= current_date
        """

    DETAIL = f"""
        SELECT convert_to({READ}, 'UTF8') FROM member m WHERE m.id = $1::uuid AND m.branch_id = $2"""

    PAGE = f"""
        SELECT
            convert_to(coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= $2), ''), 'UTF8'),
            max(sort_key) FILTER (WHERE n = $2), max(id) FILTER (WHERE n = $2), count(*)
        FROM (
            SELECT {READ} AS item, m.sort_key, m.id::text AS id,
                row_number() OVER (ORDER BY m.sort_key, m.id) AS n
            FROM member m
            WHERE m.branch_id = $1 AND m.status IN ('active', 'transferring')
            ORDER BY m.sort_key, m.id LIMIT $2 + 1
        ) AS page"""

    # One statement is one transaction and one round trip.
    UPDATE = f"""
        WITH old AS (
            SELECT id, address FROM member WHERE id = $1::uuid AND branch_id = $2 FOR UPDATE
        ), m AS (
            UPDATE member SET address = $3, revision = revision + 1, updated_at = $4
            FROM old WHERE member.id = old.id RETURNING member.*, old.address AS old_address
        ), logged AS (
            INSERT INTO change (id, at, account_id, session_id, request_id, source, entity,
                entity_id, operation, revision, before, after)
            SELECT $5::uuid, $4, $6, $7, $5::uuid::text, 'api', 'member', id::text, 'updated',
                revision, jsonb_build_object('address', old_address),
                jsonb_build_object('address', address)
            FROM m
        ), queued AS (
            INSERT INTO outbox (change_id, operation, entity, entity_id, unit_id, province_id,
                commune_id, branch_id)
            SELECT $5::uuid, 'updated', 'member', id::text, branch_id, province_id, commune_id,
                branch_id
            FROM m
        )
        SELECT convert_to({MEMBER}, 'UTF8') FROM m"""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def _row(self, statement: str, *values: object) -> Any: ...

    async def path(self, account_id: UUID) -> tuple[int, int, int]:
        province, commune, branch = await self._row(self.PATH, account_id)
        return province, commune, branch

    async def detail(self, scope: Scope, member_id: str) -> bytes | None:
        row = await self._row(self.DETAIL, member_id, scope.branch_id)
        return row[0] if row else None

    async def page(self, scope: Scope, limit: int) -> bytes:
        items, sort_key, last_id, count = await self._row(self.PAGE, scope.branch_id, limit)
        following = f'"{cursor(sort_key, last_id)}"' if count > limit else "null"
        return b'{"items":[%b],"next_cursor":%b}' % (items, following.encode())

    async def update(self, scope: Scope, member_id: str, address: str) -> bytes | None:
        row = await self._row(
            self.UPDATE,
            member_id,
            scope.branch_id,
            address,
            datetime.now(UTC),
            str(uuid7()),
            scope.account_id,
            scope.session_id,
        )
        return row[0] if row else None


class Psycopg(PostgreSQL):
    async def open(self) -> None:
        self.idle = [await self._cursor() for _ in range(CONNECTIONS)]

    async def _cursor(self) -> psycopg.AsyncRawCursor[Any]:
        connection = await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, prepare_threshold=0
        )
        return psycopg.AsyncRawCursor(connection)

    async def _row(self, statement: str, *values: object) -> Any:
        cursor = self.idle.pop()
        try:
            await cursor.execute(statement, values, binary=True)
            return await cursor.fetchone()
        finally:
            self.idle.append(cursor)


class Asyncpg(PostgreSQL):
    async def open(self) -> None:
        self.idle = [await asyncpg.connect(self.url) for _ in range(CONNECTIONS)]

    async def _row(self, statement: str, *values: object) -> Any:
        connection = self.idle.pop()
        try:
            return await connection.fetchrow(statement, *values)
        finally:
            self.idle.append(connection)


class SQLite:
    # Without the id, which SQLite would have to format from its 16 bytes: Python does it faster.
    # By `length`: in RETURNING, SQLite 3.40 holds `IS NOT NULL` for true of columns that are null.
    MEMBER = """
        json_object(
            'full_name', full_name, 'given_name', given_name, 'birth_date', birth_date, 'gender', gender, 'kind', kind,
            'status', status, 'branch_id', branch_id, 'commune_id', commune_id,
            'province_id', province_id, 'joined_on', joined_on,
            'core', json(iif(core, 'true', 'false')), 'phone', phone, 'citizen_id', citizen_id,
            'id_card', id_card, 'address', address, 'hometown', hometown, 'ethnicity', null,
            'religion', null, 'party', null, 'party_joined_on', null, 'education', education,
            'qualification', qualification, 'occupation', occupation,
            'household_id', CASE WHEN length(household_id) THEN lower(
                substr(hex(household_id), 1, 8) || '-' || substr(hex(household_id), 9, 4) || '-' ||
                substr(hex(household_id), 13, 4) || '-' || substr(hex(household_id), 17, 4) || '-' ||
                substr(hex(household_id), 21)) END,
            'photo', photo, 'restricted', json(iif(restricted, 'true', 'false')),
            'revision', revision,
            'masked', json('["ethnicity","religion","party","party_joined_on"]'))"""

    READ = f"{MEMBER.removesuffix(')')}, 'not_dated', json('[]'))"

    PATH = """
        SELECT u.province_id, u.commune_id, u.branch_id
        FROM access_grant g JOIN unit u ON u.id = g.unit_id
        WHERE g.account_id = ? AND g.role = 'branch_head'
            AND g.valid_from <= date() AND ifnull(g.valid_to, date()) >= date()"""

    DETAIL = f"SELECT {READ} FROM member WHERE id = ? AND branch_id = ?"

    PAGE = f"""
        SELECT {READ}, id, sort_key FROM member
        WHERE branch_id = ? AND status IN ('active', 'transferring')
        ORDER BY sort_key, id LIMIT ?"""

    ADDRESS = "SELECT address FROM member WHERE id = ? AND branch_id = ?"
    UPDATE = f"""
        UPDATE member SET address = ?, revision = revision + 1, updated_at = ? WHERE id = ?
        RETURNING {MEMBER}, revision"""
    LOG = """
        INSERT INTO change (id, at, account_id, session_id, request_id, source, entity, entity_id,
            operation, revision, before, after)
        VALUES (?, ?, ?, ?, ?, 'api', 'member', ?, 'updated', ?, ?, ?)"""
    NUMBER = "UPDATE feed_head SET seq = seq + 1 RETURNING seq"
    PLACE = """
        INSERT INTO feed (seq, change_id, operation, entity, entity_id, unit_id, province_id,
            commune_id, branch_id)
        VALUES (?, ?, 'updated', 'member', ?, ?, ?, ?, ?)"""

    def __init__(self, url: str) -> None:
        self.file = url.removeprefix("sqlite:///")

    async def open(self) -> None:
        self.connection = sqlite3.connect(self.file, isolation_level=None)
        self.execute = self.connection.execute
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = FULL")

    async def path(self, account_id: UUID) -> tuple[int, int, int]:
        province, commune, branch = self.execute(self.PATH, (account_id.bytes,)).fetchone()
        return province, commune, branch

    async def detail(self, scope: Scope, member_id: str) -> bytes | None:
        key = bytes.fromhex(member_id.replace("-", ""))
        row = self.execute(self.DETAIL, (key, scope.branch_id)).fetchone()
        return f'{{"id":"{member_id}",{row[0][1:]}'.encode() if row else None

    async def page(self, scope: Scope, limit: int) -> bytes:
        rows = self.execute(self.PAGE, (scope.branch_id, limit + 1)).fetchall()
        items = []
        for item, key, _ in rows[:limit]:
            h = key.hex()
            items.append(f'{{"id":"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}",{item[1:]}')
        following = "null"
        if len(rows) > limit:
            _, key, sort_key = rows[limit - 1]
            following = f'"{cursor(sort_key, key.hex())}"'
        return f'{{"items":[{",".join(items)}],"next_cursor":{following}}}'.encode()

    async def update(self, scope: Scope, member_id: str, address: str) -> bytes | None:
        key, change = bytes.fromhex(member_id.replace("-", "")), uuid7()
        now = datetime.now(UTC).isoformat(" ", "microseconds")[:26]
        self.execute("BEGIN IMMEDIATE")
        try:
            old = self.execute(self.ADDRESS, (key, scope.branch_id)).fetchone()
            if old is None:
                self.execute("ROLLBACK")
                return None
            ((member, revision),) = self.execute(self.UPDATE, (address, now, key)).fetchall()
            before, after = json.dumps({"address": old[0]}), json.dumps({"address": address})
            who = (scope.account_id.bytes, scope.session_id.bytes, str(change))
            self.execute(self.LOG, (change.bytes, now, *who, member_id, revision, before, after))
            ((seq,),) = self.execute(self.NUMBER).fetchall()
            where = (scope.branch_id, scope.province_id, scope.commune_id, scope.branch_id)
            self.execute(self.PLACE, (seq, change.bytes, member_id, *where))
            self.execute("COMMIT")
        except BaseException:
            self.execute("ROLLBACK")
            raise
        return f'{{"id":"{member_id}",{member[1:]}'.encode()


def database_at(url: str, driver: str) -> Database:
    if url.startswith("sqlite"):
        return SQLite(url)
    return Asyncpg(url) if driver == "asyncpg" else Psycopg(url)


database = database_at(DATABASE_URL, os.environ.get("FLOOR_DRIVER", "psycopg"))
verified: dict[bytes, Scope] = {}


async def scope_of(authorization: bytes) -> Scope | None:
    scope = verified.get(authorization)
    if scope is None:
        claims = tokens.verify(authorization.removeprefix(b"Bearer "), SECRET)
        if claims is None:
            return None
        account_id = UUID(claims["sub"])
        units = await database.path(account_id)
        scope = Scope(account_id, UUID(claims["sid"]), claims["exp"], *units)
        verified[authorization] = scope
    return scope if scope.expires > time.time() else None


async def respond(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def app(request: Message, receive: Receive, send: Send) -> None:
    if request["type"] == "lifespan":
        await receive()
        await database.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    authorization = b""
    for name, value in request["headers"]:
        if name == b"authorization":
            authorization = value
            break
    scope = await scope_of(authorization)
    if scope is None:
        await respond(send, 401, b"")
        return
    body: bytes | None
    member_id = request["path"].removeprefix("/v1/members").removeprefix("/")
    if not member_id:
        limit = int(request["query_string"].removeprefix(b"limit=") or 50)
        body = await database.page(scope, limit)
    elif request["method"] == "GET":
        body = await database.detail(scope, member_id)
    else:
        patch = json.loads((await receive())["body"])
        body = await database.update(scope, member_id, patch["address"])
    await respond(send, 200 if body else 404, body or b"")
