"""Files that the database names, against what the store has."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app.db import Database
from app.services.files import checking, keeping
from app.services.files.keeping import Lost
from app.services.files.stores import store_of
from tests.files.uploads import PDF, created, kept, objects, overwritten, picture, piece, whole
from tests.helpers.answers import Json
from tests.helpers.client import Api


@pytest.fixture(autouse=True)
def own_store(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the tests has files of other databases."""
    monkeypatch.setattr(database.settings, "files_dir", tmp_path)


def test_all_is_there(head: Api, database: Database) -> None:
    whole(head, picture(), "picture")
    piece(head, created(head, len(PDF)), 0, PDF[:1_000])
    assert checking.check(database) == checking.StoreCheck(lost=[], unnamed=0)


@pytest.mark.parametrize("is_cut", [False, True], ids=["removed", "cut to nothing"])
def test_bytes_are_missing(head: Api, database: Database, is_cut: bool) -> None:
    store = store_of(database.settings)
    whole(head, PDF)
    before = objects(database)
    gone = whole(head, PDF)
    [made] = objects(database) - before
    if is_cut:
        overwritten(store, made, b"")
    else:
        store.remove([made])
    assert checking.check(database).lost == [Lost(UUID(gone["id"]), None, None)]


def test_it_is_said_who_has_lost_it(head: Api, database: Database) -> None:
    someone: Json = head.get("/v1/members?limit=1").json()["items"][0]
    file_id = whole(head, picture(), "picture")["id"]
    body = {"photo": f"files/{file_id}"}
    assert head.patch(f"/v1/members/{someone['id']}", json=body).is_success
    store_of(database.settings).remove(objects(database))
    [lost] = set(checking.check(database).lost)
    assert str(lost) == f"file {file_id} of member {someone['id']}"


def test_a_piece_of_an_upload_is_missing(head: Api, database: Database) -> None:
    path = created(head, len(PDF))
    piece(head, path, 0, PDF[:1_000])
    store_of(database.settings).remove(objects(database))
    assert [str(each) for each in checking.check(database).lost] == [
        f"file {path.removeprefix('/v1/files/')}"
    ]


def test_bytes_that_nothing_names(
    head: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole(head, PDF)
    kept(store_of(database.settings), b"x")
    assert checking.check(database).unnamed == 0  # its row may be on its way
    monkeypatch.setattr(keeping, "_GRACE", timedelta(seconds=-60))
    assert checking.check(database) == checking.StoreCheck(lost=[], unnamed=1)
    assert len(objects(database)) == 2
