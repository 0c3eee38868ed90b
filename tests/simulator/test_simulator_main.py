"""Starting the simulator: flags, servers, exit codes; and the server of cover pictures."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import pytest
from simulator_fakes import START_MS, FakeServer, serving, small_world

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.simulator import checkpoint
from inhouse.simulator.__main__ import first_midnight_ms, main, plan_of, read_settings
from inhouse.simulator.checkpoint import Origin, Progress
from inhouse.simulator.media import media_app


def test_flags_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag, then INHOUSE_SIMULATOR_…, then the default."""
    monkeypatch.setenv("INHOUSE_SIMULATOR_SEED", "7")
    monkeypatch.setenv("INHOUSE_SIMULATOR_PEOPLE", "300")
    settings = read_settings(["--seed", "9", "--live", "--live-pace", "2.5"])
    assert (settings.seed, settings.people, settings.posts) == (9, 300, 2_000)
    assert (settings.live, settings.live_pace) == (True, 2.5)


def test_wrong_flags_are_all_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and every fault at once."""
    assert main(["--people", "3", "--pace", "fast"]) == 2
    error = capsys.readouterr().err
    assert "INHOUSE_SIMULATOR_PEOPLE: got '3', expected 12 to 1e+06 people" in error
    assert "INHOUSE_SIMULATOR_PACE: got 'fast', expected a value of type float" in error


def test_the_first_day_is_given_or_ends_yesterday() -> None:
    """Without a start day the last of the days is the day before today."""
    now = datetime(2026, 6, 5, 13, 30, tzinfo=UTC)
    assert first_midnight_ms("2026-06-01", 4, now) == START_MS
    assert first_midnight_ms("", 4, now) == START_MS
    with pytest.raises(InputError, match="start day: got 'monday', expected YYYY-MM-DD"):
        first_midnight_ms("monday", 4, now)


def test_a_checkpoint_keeps_its_first_day(tmp_path: Path) -> None:
    """A second start on another date goes on with the same community."""
    state = tmp_path / "state.json"
    origin = Origin(seed=1, people=24, posts=10, start_ms=START_MS - 7 * DAY_MS)
    world = small_world(people=24, posts=10)
    checkpoint.save(state, origin, world, Progress(introduced=True))
    settings = read_settings(["--state", str(state), "--people", "24", "--posts", "10"])
    assert plan_of(settings).origin == origin


def test_covers_are_served_with_caching() -> None:
    """SVG, cacheable, any origin; a second look costs nothing; unknown posts are 404."""

    async def look() -> None:
        app = media_app(small_world(people=24, posts=10))
        async with serving(app) as server, aiohttp.ClientSession() as session:
            async with session.get(server.make_url("/media/post-000003.svg")) as response:
                body = await response.text()
                assert response.content_type == "image/svg+xml"
                assert "immutable" in response.headers["Cache-Control"]
                assert response.headers["Access-Control-Allow-Origin"] == "*"
                tag = response.headers["ETag"]
            assert ElementTree.fromstring(body).tag.endswith("svg")
            again = {"If-None-Match": tag}
            url = server.make_url("/media/post-000003.svg")
            async with session.get(url, headers=again) as response:
                assert response.status == 304
            async with session.get(server.make_url("/media/post-000010.svg")) as response:
                assert response.status == 404

    asyncio.run(look())


def test_the_process_plays_and_stops_cleanly(tmp_path: Path) -> None:
    """The real program against a server: SIGTERM ends it with 0 and a checkpoint to go on from."""
    fake = FakeServer()
    state = tmp_path / "state.json"

    async def run() -> int:
        async with serving(fake.app()) as server:
            flags = ("--api", str(server.make_url("/")), "--state", str(state), "--days", "0")
            more = ("--people", "24", "--posts", "40", "--live", "--live-pace", "0.1")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "inhouse.simulator", *flags, *more),
                *("--media-port", "0", "--vendor-port", "0"),
                stdout=subprocess.PIPE,
                env={**os.environ, "INHOUSE_SIMULATOR_KEY": "inh_test"},
            )
            assert process.stdout is not None
            assert b'"sim_day": 0' in await process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            await process.stdout.read()
            return await process.wait()

    assert asyncio.run(run()) == 0
    assert len(fake.items) >= 40
    assert checkpoint.origin_of(state) is not None
