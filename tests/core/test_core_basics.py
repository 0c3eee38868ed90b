"""Clock, ids, errors, randomness and logs."""

import ctypes
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core import errors
from inhouse.core.allocator import return_freed_memory
from inhouse.core.clock import FollowingClock, SystemClock, clock_named
from inhouse.core.errors import Fault, InhouseError, SettingError
from inhouse.core.ids import MAX_ID_CHARS, is_valid_id, new_id
from inhouse.core.logs import configure_logs, logger
from inhouse.core.random import stream


@given(st.lists(st.integers(min_value=0, max_value=2**50)))
def test_a_following_clock_shows_the_latest_time_it_heard_of(heard: list[int]) -> None:
    """It never goes back, in whatever order events arrive."""
    clock = FollowingClock(7)
    shown = []
    for at_ms in heard:
        clock.advance(at_ms)
        shown.append(clock.now_ms())

    assert shown == [max([7, *heard[: i + 1]]) for i in range(len(heard))]


def test_the_system_clock_is_the_machines_and_is_not_moved() -> None:
    """Events from the future leave it alone."""
    clock = SystemClock()
    before = time.time_ns() // 1_000_000
    clock.advance(before * 2)
    shown = clock.now_ms()

    assert before <= shown <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(("name", "kind"), [("system", SystemClock), ("log", FollowingClock)])
def test_clocks_are_chosen_by_name(name: str, kind: type) -> None:
    """The setting's two values give the two clocks."""
    assert type(clock_named(name)) is kind


@pytest.mark.parametrize("text", ["a", "u_1", "at://did:plc:x/3k=~", "A" * MAX_ID_CHARS])
def test_ids_that_may_come_from_outside(text: str) -> None:
    """Short printable ASCII without spaces is an id."""
    assert is_valid_id(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "é", "a\n", "\n", "A" * (MAX_ID_CHARS + 1), "a\x00", 7, None, b"a", "<b>"]
)
def test_ids_that_may_not(text: object) -> None:
    """Anything else is none, a trailing line break too."""
    assert not is_valid_id(text)


def test_new_ids_differ_are_valid_and_sort_by_time() -> None:
    """An id made later sorts behind one made in an earlier millisecond."""
    early = new_id("page")
    time.sleep(0.002)
    late = [new_id("page") for _ in range(1_000)]

    assert len({early, *late}) == 1_001
    assert all(early < other and is_valid_id(other) for other in late)


def test_every_error_hangs_on_the_one_tree() -> None:
    """Whoever catches InhouseError catches everything raised on purpose."""
    raised = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]

    assert [kind for kind in raised if not issubclass(kind, InhouseError)] == []
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in raised)


def test_a_fault_reads_as_field_value_and_expectation() -> None:
    """One line a fault, all faults under one message."""
    fault = Fault(field="events[3].kind", value="'clack'", expected="click")

    assert str(SettingError("policy.yaml cannot be used", [fault])) == (
        "policy.yaml cannot be used\n  events[3].kind: got 'clack', expected click"
    )


def test_a_stream_is_the_same_for_the_same_seed_and_purpose() -> None:
    """Two runs draw the same numbers, and they are these on every machine."""
    drawn = stream(7, "taste", 3).integers(0, 1_000_000, size=4).tolist()

    assert drawn == stream(7, "taste", 3).integers(0, 1_000_000, size=4).tolist()
    assert drawn == [741742, 949817, 711240, 674020]


@given(st.integers(min_value=0, max_value=2**40), st.text(), st.text())
def test_streams_of_different_purposes_are_different(seed: int, one: str, other: str) -> None:
    """A purpose has its own stream, also where its name is split at another place."""
    first = stream(seed, one, other).random(4)

    assert np.array_equal(first, stream(seed, one, other).random(4))
    assert not np.array_equal(first, stream(seed, one + "x", other).random(4))
    assert not np.array_equal(first, stream(seed + 1, one, other).random(4))


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("_logs_as_before")
def test_logs_are_json_lines_with_role_and_part(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is an object with a stable event name; what is below the level is not written."""
    configure_logs(role="worker", level="info")
    log = logger("importer")
    log.debug("chunk_stored", rows=1)
    log.info("import_done", rows=12)

    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    entry.pop("timestamp")
    assert entry == {
        "event": "import_done",
        "level": "info",
        "part": "importer",
        "role": "worker",
        "rows": 12,
    }


def test_what_was_freed_between_what_is_held_is_returned() -> None:
    """Every second of many small blocks is freed: they lie between others, and yet they go."""
    if sys.platform != "linux":
        pytest.skip("resident memory is read from Linux' own file")
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    block_bytes, count = 16_384, 4_000
    blocks = [libc.malloc(block_bytes) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, block_bytes)
    for block in blocks[::2]:
        libc.free(block)
    before = _resident_bytes()
    return_freed_memory()
    returned = before - _resident_bytes()
    for block in blocks[1::2]:
        libc.free(block)

    assert returned > block_bytes * count // 4


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
