"""Files in a bucket of a server that speaks S3 (moto): the store, uploads, two servers, a backup."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from app.config import Settings
from app.db import Database
from app.services.files.protocol import Store
from app.services.files.stores import store_of
from tests.backups.backups import KEY, empty_database
from tests.conftest import make_settings
from tests.files import test_stores, test_uploads
from tests.files.uploads import PDF, PIECE, kept
from tests.helpers.databases import Clones
from tests.system.running import Process, Stage, free_port, ready, signed_in, until

pytestmark = pytest.mark.timeout(240)
_HERE = Path(__file__).parent
_numbers = count(1)


class Buckets:
    """A server of S3. Keys are not looked at: it knows no accounts."""

    def __init__(self, folder: Path, ending: ExitStack) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        uv = (sys.executable, "-m", "uv", "run", "--no-project", f"--python={sys.executable}")
        lock = f"--with-requirements={_HERE / 's3-server.lock'}"
        serve = ("python", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
        process = Process([*uv, "--quiet", lock, *serve], folder / "s3.log", dict(os.environ), None)
        ending.callback(process.stop)
        until(self._answers, 120)

    def _answers(self) -> bool | None:
        try:
            return httpx2.get(self.address).status_code == 200 or None
        except httpx2.TransportError:
            return None

    def settings(self, bucket: str = "") -> dict[str, str]:
        """Of a new bucket, as variables of the environment."""
        name = bucket or f"files-{next(_numbers)}"
        if not bucket:
            httpx2.put(f"{self.address}/{name}").raise_for_status()
        return {
            "HOISO_FILES_URL": f"s3://{name}/of/hoiso",
            "HOISO_FILES_ENDPOINT": self.address,
            "HOISO_FILES_ACCESS_KEY": "key-of-the-tests",
            "HOISO_FILES_SECRET_KEY": "secret-of-the-tests",
        }


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    with ExitStack() as ending:
        yield Buckets(tmp_path_factory.mktemp("s3"), ending)


def settings_in(given: dict[str, str]) -> Settings:
    named = {name.removeprefix("HOISO_").lower(): value for name, value in given.items()}
    return make_settings("sqlite:///nowhere.db", files_dir=None, **named)


class TestStore(test_stores.TestStore):
    @pytest.fixture
    def store(self, buckets: Buckets) -> Store:
        return store_of(settings_in(buckets.settings()))

    def test_names_more_than_a_page(self, store: Store) -> None:
        """S3 lists 1,000 at a time, and removes as many."""
        names = {kept(store, b"x") for _ in range(1_003)}
        assert test_stores.all_of(store) == names
        store.remove(names)
        assert test_stores.all_of(store) == set()


@pytest.fixture
def in_bucket(database: Database, buckets: Buckets) -> None:
    """The server of this test keeps files in a bucket."""
    given = settings_in(buckets.settings())
    for name in (
        "files_dir",
        "files_url",
        "files_endpoint",
        "files_access_key",
        "files_secret_key",
    ):
        setattr(database.settings, name, getattr(given, name))


@pytest.mark.usefixtures("in_bucket")
class TestPieces(test_uploads.TestPieces):
    pass


@pytest.mark.usefixtures("in_bucket")
class TestTermination(test_uploads.TestTermination):
    pass


@pytest.mark.usefixtures("in_bucket")
class TestExpiry(test_uploads.TestExpiry):
    pass


@pytest.mark.usefixtures("in_bucket")
class TestUploads(test_uploads.TestStore):
    pass


@pytest.fixture(scope="module")
def given(buckets: Buckets) -> dict[str, str]:
    """Of the bucket of all servers, as they have one database."""
    return buckets.settings()


class TestServers:
    def test_one_goes_on_where_another_was_killed(
        self, stage: Stage, given: dict[str, str]
    ) -> None:
        ports = [free_port() for _ in range(2)]
        servers = [
            stage.hoiso(f"server-{port}", "serve", "--port", str(port), **given) for port in ports
        ]
        addresses = [f"http://127.0.0.1:{port}" for port in ports]
        for address in addresses:
            until(partial(ready, address), 60)
        with signed_in(addresses[0], "phuongvi-1") as first:
            path = _announced(first, len(PDF))
            _send(first, path, 0, PDF[:1_000])
        servers[0].running.send_signal(signal.SIGKILL)
        servers[0].running.wait()
        with signed_in(addresses[1], "phuongvi-1") as second:
            assert second.head(path).headers["upload-offset"] == "1000"
            _send(second, path, 1_000, PDF[1_000:])
            assert second.get(f"{path}/content").content == PDF
        assert len(test_stores.all_of(store_of(settings_in(given)))) == 1

    def test_a_backup_of_one_bucket_is_restored_into_another(
        self,
        stage: Stage,
        given: dict[str, str],
        buckets: Buckets,
        clones: Clones,
        tmp_path: Path,
    ) -> None:
        other = buckets.settings()
        port = free_port()
        stage.hoiso("backed-up", "serve", "--port", str(port), **given)
        address = f"http://127.0.0.1:{port}"
        until(lambda: ready(address), 60)
        with signed_in(address, "phuongvi-1") as client:
            for _ in range(3):
                _send(client, _announced(client, len(PDF)), 0, PDF)
        keys = {"HOISO_BACKUP_KEYS": KEY}
        file = tmp_path / "hoiso.backup"
        _done(stage.hoiso("backup", "backup", str(file), **keys, **given))
        with empty_database(clones, tmp_path) as url:
            command = ("restore", "--accept-lost-erasures", "the tests", str(file))
            there = {"HOISO_DATABASE_URL": url}
            _done(stage.hoiso("restore", *command, **keys, **other, **there))
        sent, come = (contents(store_of(settings_in(each))) for each in (given, other))
        assert len(come) >= 3
        assert come == sent

    def test_one_without_its_bucket_does_not_start(self, stage: Stage, buckets: Buckets) -> None:
        for command in ("serve", "worker"):
            process = stage.hoiso(command, command, **buckets.settings("nobodys-bucket"))
            assert process.running.wait(timeout=60) == 1
            said = process.output()
            assert "hoiso: HOISO_FILES_URL: no file can be kept: " in said
            assert "NoSuchBucket" in said
            assert "Traceback" not in said
            assert "secret-of-the-tests" not in said


def contents(store: Store) -> dict[UUID, bytes]:
    found = {}
    for name in test_stores.all_of(store):
        with store.open(name) as file:
            found[name] = file.read()
    return found


def _done(process: Process) -> None:
    assert process.running.wait(timeout=120) == 0, process.output()


def _announced(client: httpx2.Client, length: int) -> str:
    headers = {"upload-length": str(length), "upload-metadata": "kind ZG9jdW1lbnQ="}
    answer = client.post("/v1/files", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def _send(client: httpx2.Client, path: str, offset: int, data: bytes) -> None:
    headers = PIECE | {"upload-offset": str(offset)}
    answer = client.patch(path, headers=headers, content=data)
    assert answer.status_code == 204, answer.text
