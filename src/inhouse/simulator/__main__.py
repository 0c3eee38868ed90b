"""python -m inhouse.simulator: play a community against a server until stopped."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InhouseError, InputError, SettingError
from inhouse.core.logs import configure_logs
from inhouse.core.settings import load, rows, variable_name
from inhouse.simulator import checkpoint
from inhouse.simulator.checkpoint import Origin, Progress
from inhouse.simulator.client import Api
from inhouse.simulator.driver import Driver, Plan
from inhouse.simulator.media import PATH, media_app
from inhouse.simulator.settings import SimulatorSettings
from inhouse.simulator.vendor import Vendor, vendor_app
from inhouse.simulator.world import World

HOST: Final = "127.0.0.1"
PACKAGE: Final = "simulator"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when played to the end or stopped, 1 when it failed, 2 when it was asked wrongly."""
    configure_logs(role=PACKAGE)
    try:
        settings = read_settings(sys.argv[1:] if arguments is None else arguments)
        uvloop.run(run(settings))
    except (SettingError, InputError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except InhouseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def read_settings(arguments: Sequence[str]) -> SimulatorSettings:
    """Flags beat the environment (INHOUSE_SIMULATOR_…), which beats the defaults."""
    parser = argparse.ArgumentParser(prog="python -m inhouse.simulator", description=__doc__)
    for row in rows(PACKAGE, SimulatorSettings):
        flag = f"--{row.name.replace('_', '-')}"
        text = f"{row.help} ({row.unit}; default {row.default!r}; also {row.variable})"
        if isinstance(row.default, bool):
            parser.add_argument(flag, action="store_const", const="true", help=text)
        else:
            parser.add_argument(flag, help=text)
    given = {
        variable_name(PACKAGE, name): value
        for name, value in vars(parser.parse_args(arguments)).items()
        if value is not None
    }
    return load(PACKAGE, SimulatorSettings, {**os.environ, **given}, {})


async def run(settings: SimulatorSettings) -> None:
    """Open the servers, go on from the checkpoint or begin, play, close."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    plan = plan_of(settings)
    world, progress = open_world(plan)
    async with AsyncExitStack() as stack:
        if settings.media_port:
            await _serve(stack, media_app(world), settings.media_port)
        if settings.vendor_port:
            vendor = Vendor(world, latency_ms=settings.vendor_latency_ms)
            await _serve(stack, vendor_app(vendor), settings.vendor_port)
        api = await stack.enter_async_context(
            Api(url=settings.api, key=settings.key, stop=stop, retry_s=settings.retry_s)
        )
        await Driver(plan, world, progress, api, stop).play()


def plan_of(settings: SimulatorSettings) -> Plan:
    """What the settings ask for. A checkpoint's own first day beats one that was not given."""
    state = Path(settings.state)
    found = checkpoint.origin_of(state)
    if settings.start_day or found is None:
        start_ms = first_midnight_ms(settings.start_day, settings.days, datetime.now(UTC))
    else:
        start_ms = found.start_ms
    return Plan(
        origin=Origin(
            seed=settings.seed, people=settings.people, posts=settings.posts, start_ms=start_ms
        ),
        state=state,
        truth=Path(settings.truth) if settings.truth else None,
        media_url=f"http://{HOST}:{settings.media_port}{PATH}" if settings.media_port else None,
        replies=settings.replies,
        days=settings.days,
        pace_s=settings.pace,
        live_pace_s=settings.live_pace if settings.live else None,
        in_flight=settings.in_flight,
    )


def first_midnight_ms(start_day: str, days: int, now: datetime) -> int:
    """The given day's midnight UTC; without one, so that the last of the days is yesterday."""
    try:
        first = datetime.fromisoformat(start_day or now.date().isoformat())
    except ValueError as error:
        raise InputError(f"start day: got {start_day!r}, expected YYYY-MM-DD") from error
    if not start_day:
        first -= timedelta(days=days)
    midnight_ms = int(first.replace(tzinfo=UTC).timestamp() * 1_000)
    return midnight_ms - midnight_ms % DAY_MS


def open_world(plan: Plan) -> tuple[World, Progress]:
    """The community of the checkpoint, or a new one."""
    if plan.state.exists():
        return checkpoint.load(plan.state, plan.origin)
    facts = asdict(plan.origin)
    world = World(seed=facts["seed"], start_ms=facts["start_ms"], people_at_start=facts["people"])
    return world, Progress()


async def _serve(stack: AsyncExitStack, app: web.Application, port: int) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        raise InputError(
            f"cannot listen on {HOST}:{port} ({error.strerror}); give another port"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
