"""A private PostgreSQL cluster for the tests: made from the operating system's package, on a socket
in a folder of its own, stopped and removed at the end."""

import getpass
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

_ROLE = "inhouse"
_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running server."""

    folder: Path  # data and socket
    binaries: Path  # of the package
    account: str  # whom it runs as: PostgreSQL refuses to run as root

    def url(self, name: str) -> str:
        """Of one of its databases."""
        return f"postgresql://{_ROLE}@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(
            host=str(self.folder), user=_ROLE, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def new_database(self, template: str = "template1") -> str:
        """The URL of a database nobody else uses, a copy of `template`."""
        name = f"test_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def command(self, program: str, *arguments: str) -> None:
        """Run one of the package's programs as the account; its words are shown where it fails."""
        done = subprocess.run(
            [self.binaries / program, *arguments],
            user=self.account,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")


def _binaries() -> Path | None:
    """The newest installed server's programs; Debian keeps them out of the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).parent if elsewhere else None


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A cluster with default durability (fsync on), reachable through its socket alone."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed; `apt install postgresql` gives the programs")
    account = "postgres" if os.geteuid() == 0 else getpass.getuser()
    # Not pytest's own folder: another account could not enter it, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="inhouse-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, user=account)
    cluster = Cluster(folder=folder, binaries=binaries, account=account)
    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses="
    try:
        cluster.command(
            "initdb", "-D", data, "-U", _ROLE, "-A", "trust", "-E", "UTF8", "--locale=C"
        )
        cluster.command(
            "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start"
        )
        try:
            yield cluster
        finally:
            cluster.command("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated_template(postgres_cluster: Cluster) -> str:
    """The name of a database with all tables, to be copied."""
    postgres_cluster.execute("CREATE DATABASE migrated")
    database = open_database(StoreSettings(url=postgres_cluster.url("migrated")))
    migrate(database)
    database.close()
    return "migrated"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Settings of a migrated database of its own, once for each kind; several may open it."""
    if request.param == "postgresql":
        template = request.getfixturevalue("migrated_template")
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        return StoreSettings(url=cluster.new_database(template))
    settings = StoreSettings(folder=str(tmp_path / "data"))
    database = open_database(settings)
    migrate(database)
    database.close()
    return settings


@pytest.fixture
def any_database(store_settings: StoreSettings) -> Iterator[Database]:
    """A migrated database of its own, once SQLite, once PostgreSQL."""
    database = open_database(store_settings)
    yield database
    database.close()
