"""A month of a warehouse that keeps a copy, against a running server, by a generated client.

`python integrator_day.py ADDRESS CLIENT SECRET OFFICER PASSWORD FOLDER`: exports whole records, follows the
feed for thirty days on which officers write, is killed again and again, corrects a record itself, and
ends with what another export has. Each step fails loudly if the server answers otherwise.
"""

import json
import os
import random
import sqlite3
import sys
from pathlib import Path
from uuid import UUID

from hoi_so_api_integration_client import AuthenticatedClient, Client
from hoi_so_api_integration_client.api.auth import sign_in
from hoi_so_api_integration_client.api.exports import create_export, get_export, get_export_file
from hoi_so_api_integration_client.api.feed import read_feed
from hoi_so_api_integration_client.api.households import update_household
from hoi_so_api_integration_client.api.members import create_member, update_member
from hoi_so_api_integration_client.api.memberships import create_departure
from hoi_so_api_integration_client.models import (
    BulkExportRead,
    DepartureCreate,
    ExportCreate,
    ExportKind,
    FeedPage,
    HouseholdUpdate,
    MemberCreate,
    MemberUpdate,
    NewsKindName,
    TokenForm,
)

DAYS, DEATHS = 30, 120
KINDS = ("unit", "member", "household")
IN_THE_UNION = ("active", "transferring")

address, client_id, secret, officer, password, folder = sys.argv[1:]
rng = random.Random(7)
COPY = Path(folder) / "copy.db"


def good(answer, status=200):
    """What the server answered with this status, or the problem that it names."""
    if answer.status_code != status:
        raise SystemExit(f"{answer.status_code}: {answer.content.decode()[:500]}")
    return answer.parsed


def signed_in(**form) -> AuthenticatedClient:
    token = good(sign_in.sync_detailed(client=Client(address), body=TokenForm.from_dict(form)))
    return AuthenticatedClient(address, token.access_token)


# -- the copy


def opened() -> sqlite3.Connection:
    copy = sqlite3.connect(COPY)
    copy.execute(
        "CREATE TABLE IF NOT EXISTS row (kind, id, revision, body, PRIMARY KEY (kind, id))"
    )
    copy.execute("CREATE TABLE IF NOT EXISTS place (seq, epoch)")
    return copy


def exported(client: AuthenticatedClient) -> tuple[BulkExportRead, dict[str, dict[str, dict]]]:
    """The manifest, and the rows of each kind by their ids."""
    waiting = client.with_headers({"Prefer": "wait=60"})
    body = ExportCreate(kinds=[ExportKind(kind) for kind in KINDS])
    answer = create_export.sync_detailed(client=waiting, body=body)
    while answer.parsed.state != "ready":
        answer = get_export.sync_detailed(answer.parsed.id, client=waiting)
    manifest, rows = answer.parsed, {kind: {} for kind in KINDS}
    for file in manifest.files:
        answer = get_export_file.sync_detailed(manifest.id, file.name, client=client)
        for line in answer.content.splitlines():
            row = json.loads(line)
            rows[file.kind][str(row["id"])] = row
        assert len(rows[file.kind]) == file.rows, file.name
    return manifest, rows


def begin(client: AuthenticatedClient) -> None:
    manifest, rows = exported(client)
    with opened() as copy:
        for kind, of_kind in rows.items():
            for id_, row in of_kind.items():
                keep(copy, kind, id_, row["revision"], row)
        copy.execute("INSERT INTO place VALUES (?, ?)", (manifest.seq, str(manifest.epoch)))


def keep(copy: sqlite3.Connection, kind: str, id_: str, revision: int, state: dict) -> None:
    known = copy.execute("SELECT body FROM row WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
    body = {**(json.loads(known[0]) if known else {}), **state}
    copy.execute("REPLACE INTO row VALUES (?, ?, ?, ?)", (kind, id_, revision, json.dumps(body)))


def apply(copy: sqlite3.Connection, data) -> None:
    key = (data.entity, data.entity_id)
    if data.state is None:
        copy.execute("DELETE FROM row WHERE kind = ? AND id = ?", key)
    else:
        keep(copy, *key, data.revision, {**data.state.to_dict(), "revision": data.revision})


def follow(client: AuthenticatedClient, dies_after: int | None) -> None:
    """Catches up; dies after so many steps, wherever it is by then."""
    copy, steps = opened(), 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == dies_after:
            os._exit(9)

    while True:
        seq, epoch = copy.execute("SELECT seq, epoch FROM place").fetchone()
        kinds = [NewsKindName(kind) for kind in KINDS]
        page: FeedPage = good(
            read_feed.sync_detailed(
                client=client, after=seq, epoch=UUID(epoch), kinds=kinds, limit=3
            )
        )
        step()
        with copy:
            for event in page.items:
                apply(copy, event.data)
                step()
            copy.execute("UPDATE place SET seq = ?, epoch = ?", (page.seq, str(page.epoch)))
        step()
        if not page.more:
            return


def caught_up(token: str, deaths: int) -> int:
    """Follows in processes that are killed, and then in one that is not; how many were."""
    killed = 0
    for attempt in range(deaths + 1):
        child = os.fork()
        if child == 0:
            follow(
                AuthenticatedClient(address, token), rng.randint(1, 4) if attempt < deaths else None
            )
            os._exit(0)
        rng.random()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, 9), code
        killed += code == 9
    return killed


# -- what officers do meanwhile


def write(office: AuthenticatedClient, rows: dict[str, dict[str, dict]], day: int) -> None:
    """Two corrections, an admission, and now and then a departure and another address of a family."""
    members = [row for row in rows["member"].values() if row["status"] == "active"]
    for row in rng.sample(members, 2):
        body = MemberUpdate(occupation=f"Nghề ngày {day}", address=f"Khu {day}")
        good(update_member.sync_detailed(UUID(row["id"]), client=office, body=body))
    body = MemberCreate.from_dict(
        {
            "branch_id": rng.choice(members)["branch_id"],
            "full_name": f"Nguyễn Thị Mới {'abcdefghijklmnopqrstuvwxyzăâêôơư'[day]}",
            "birth_date": f"{1960 + day}",
            "joined_on": None,
        }
    )
    good(create_member.sync_detailed(client=office, body=body), 201)
    if day % 5 == 0:
        gone = rng.choice(members)
        rows["member"].pop(gone["id"])
        left = DepartureCreate.from_dict({"reason": "moved_away"})
        good(create_departure.sync_detailed(UUID(gone["id"]), client=office, body=left), 201)
    if day % 7 == 0 and rows["household"]:
        household = rng.choice(list(rows["household"].values()))
        change = HouseholdUpdate.from_dict({"address": f"Ngõ {day}"})
        good(update_household.sync_detailed(UUID(household["id"]), client=office, body=change))


def corrected(client: AuthenticatedClient, row: dict) -> None:
    """The warehouse knows better: based on a revision that is over it is refused, else written."""
    body, id_ = MemberUpdate(occupation="Kế toán hợp tác xã"), UUID(row["id"])
    stale = f'"{row["revision"]}"'
    first = good(update_member.sync_detailed(id_, client=client, body=body, if_match=stale))
    assert (first.revision, first.occupation) == (row["revision"] + 1, "Kế toán hợp tác xã")
    late = update_member.sync_detailed(id_, client=client, body=body, if_match=stale)
    assert (late.status_code, late.parsed.code) == (412, "stale_revision")


# -- the month

client = signed_in(grant_type="client_credentials", client_id=client_id, client_secret=secret)
office = signed_in(grant_type="password", username=officer, password=password)
begin(client)
_, known = exported(client)
mine = next(row for row in known["member"].values() if row["status"] == "active")
del known["member"][mine["id"]]
killed = 0
for day in range(DAYS):
    write(office, known, day)
    if day == DAYS // 2:
        corrected(client, mine)
    killed += caught_up(client.token, DEATHS // DAYS + 1)
assert killed >= 100, killed

_, wanted = exported(client)
copy = opened()
for kind in KINDS:
    kept = {
        id_: json.loads(body)
        for id_, body in copy.execute("SELECT id, body FROM row WHERE kind = ?", (kind,))
    }
    # Lists, and so exports, have those in the union.
    kept = {id_: row for id_, row in kept.items() if row.get("status", "active") in IN_THE_UNION}
    assert kept.keys() == wanted[kind].keys(), (kind, kept.keys() ^ wanted[kind].keys())
    for id_, row in wanted[kind].items():
        differing = {
            name: (kept[id_].get(name), value)
            for name, value in row.items()
            if name != "masked" and kept[id_].get(name) != value
        }
        assert not differing, (kind, id_, differing)
print(f"equal row by row after {killed} deaths in {DAYS} days")
