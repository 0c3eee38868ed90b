"""What other processes wrote, as of a moment ago."""

from types import SimpleNamespace

import pytest

from inhouse.core.errors import StoreError
from inhouse.store import looking
from inhouse.store.looking import Looking


class _Store:
    """Says how often it was read; refuses while it is told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.refuses = False

    def read(self) -> None:
        self.reads += 1
        if self.refuses:
            raise StoreError("the database refused")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, to be set."""
    now = [1_000.0]
    monkeypatch.setattr(looking, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_it_is_read_again_when_the_last_look_is_too_long_ago(clock: list[float]) -> None:
    """At once the first time, then once in so many seconds however often it is asked for."""
    store = _Store()
    known = Looking(store.read, 1.0)
    clock[0] = 0.0  # a machine that has just started
    for at_s, reads in ((0.0, 1), (0.9, 1), (1.0, 2), (1.5, 2), (2.0, 3)):
        clock[0] = at_s
        known.keep_up()
        assert store.reads == reads, at_s
    known.look()
    assert store.reads == 4


def test_what_was_read_holds_while_the_store_refuses(clock: list[float]) -> None:
    """It is asked as often as ever; who looks on purpose is told."""
    store = _Store()
    known = Looking(store.read, 1.0)
    known.keep_up()
    store.refuses = True
    for _ in range(3):
        clock[0] += 1.0
        known.keep_up()
        known.keep_up()
    assert store.reads == 4
    with pytest.raises(StoreError, match="refused"):
        known.look()


def test_what_was_never_read_is_not_made_up(clock: list[float]) -> None:
    """Each time it is asked for it is tried again."""
    store = _Store()
    store.refuses = True
    known = Looking(store.read, 1.0)
    for reads in (1, 2):
        with pytest.raises(StoreError, match="refused"):
            known.keep_up()
        assert store.reads == reads
