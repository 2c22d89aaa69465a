"""Debian's PostgreSQL in a folder of a test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.system import packages
from tests.system.guide import block
from tests.system.running import free_port


class Cluster:
    """Its data, and what is copied of it, each in a folder beside the others."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.archive = folder / "archive"
        self.url = url_at(port)
        self._running: list[Path] = []
        # It refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None

    def run(self, program: str, *arguments: str | Path) -> None:
        pg_ctl = packages.program("postgresql")
        assert pg_ctl is not None
        subprocess.run(
            [str(Path(pg_ctl).resolve().with_name(program)), *map(str, arguments)],
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )

    def start(self, data: Path, port: int | None = None) -> None:
        options = f"-p {port or self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        log = self.folder / f"{data.name}.log"
        self._running.append(data)
        self.run("pg_ctl", "start", "-w", "-D", data, "-o", options, "-l", log)

    def stop(self, data: Path) -> None:
        self._running.remove(data)
        self.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", data)

    def stop_all(self) -> None:
        """The last that was started first; one that does not stop keeps no other running."""
        with ExitStack() as ending:
            for data in self._running:
                ending.callback(self.stop, data)

    def copy(self, data: Path, *options: str) -> None:
        """A base backup of the running server."""
        where = ("-h", self.folder, "-p", str(self.port), "-U", "postgres")
        self.run("pg_basebackup", *where, "-D", data, "-c", "fast", *options)

    def of_guide(self, language: str, marker: str) -> str:
        return block(language, marker).replace("/archive", str(self.archive))


def url_at(port: int) -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def cluster_in(prefix: str) -> Iterator[Cluster]:
    """A new one, with an empty database in `data`; what of it runs at the end is stopped."""
    with TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        made = Cluster(Path(folder), free_port())
        made.archive.mkdir()
        if os.geteuid() == 0:
            shutil.chown(made.folder, "postgres")
            shutil.chown(made.archive, "postgres")
        data = made.folder / "data"
        made.run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-D", data)
        try:
            yield made
        finally:
            made.stop_all()
