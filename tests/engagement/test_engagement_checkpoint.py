"""What was read is kept on disk, and never trusted more than the log."""

from pathlib import Path

import pytest
from engagement_world import at, did, log

from inhouse.engagement import metrics as metrics_module
from inhouse.engagement.aggregates import Aggregates
from inhouse.engagement.metrics import CHECKPOINT, Metrics
from inhouse.store import tables
from inhouse.store.database import Database


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what was read after every ten events."""
    monkeypatch.setattr(metrics_module, "SAVE_EVERY", 10)


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each fold took in."""
    sizes: list[int] = []
    fold = Aggregates._fold
    monkeypatch.setattr(
        Aggregates, "_fold", lambda self, chunk: (sizes.append(len(chunk)), fold(self, chunk))
    )
    return sizes


def fill(database: Database) -> None:
    """Twenty-four events of three people over four days."""
    people = ("ann", "bob", "cy")
    log(database, [did(people[i % 3], at(i / 6), "impression", f"p{i % 5}") for i in range(24)])


def test_the_next_process_goes_on_from_the_file(
    database: Database, tmp_path: Path, folded: list[int]
) -> None:
    """It reads the one event that came since, and answers as one that read everything."""
    fill(database)
    Metrics(database, tmp_path).engagement(at(5))
    log(database, [did("dan", at(4), "impression", "p9")])
    found = Metrics(database, tmp_path).engagement(at(5))
    assert folded == [24, 1]
    assert found == Metrics(database).engagement(at(5))


def test_a_torn_file_is_passed_over(database: Database, tmp_path: Path, folded: list[int]) -> None:
    """Half a checkpoint is no checkpoint: the log is read."""
    fill(database)
    whole = Metrics(database, tmp_path).engagement(at(5))
    file = tmp_path / CHECKPOINT
    file.write_bytes(file.read_bytes()[:-7])
    assert Metrics(database, tmp_path).engagement(at(5)) == whole
    assert folded == [24, 24]


def test_the_file_of_another_log_is_passed_over(database: Database, tmp_path: Path) -> None:
    """A data folder whose log was replaced does not answer from the old one."""
    fill(database)
    Metrics(database, tmp_path).engagement(at(5))
    database.write(lambda connection: connection.execute(tables.events.delete()))
    log(database, [did("eve", at(4)) for _ in range(30)])
    assert Metrics(database, tmp_path).engagement(at(5)).days[-2].mau == 1


def test_few_events_are_not_worth_a_file(database: Database, tmp_path: Path) -> None:
    """Nine events are read again faster than they are kept."""
    log(database, [did("ann", at(0, i)) for i in range(9)])
    Metrics(database, tmp_path).engagement(at(5))
    assert not (tmp_path / CHECKPOINT).exists()
