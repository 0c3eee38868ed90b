"""inhouse demo: a living community on this machine."""

import json
import os
import threading
import webbrowser
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from inhouse.app.build import open_services
from inhouse.app.communities import chosen_name
from inhouse.app.roles.demo import Plan, environment, prepare, simulator_program
from inhouse.app.roles.supervisor import Supervisor, on_signals
from inhouse.app.settings import Settings, load_settings
from inhouse.cli.output import console
from inhouse.cli.up import answers, check_free, programs_of, roles_of
from inhouse.core.errors import InputError
from inhouse.core.logs import configure_logs


def demo(
    people: Annotated[int, typer.Option(min=12, help="people at the start")] = 1_000,
    posts: Annotated[int, typer.Option(min=1, help="posts at the start")] = 2_000,
    days: Annotated[int, typer.Option(min=0, help="simulated days before it slows down")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="another number, another community")] = 1,
    folder: Annotated[Path, typer.Option(help="data of this demo; a second start goes on")] = Path(
        "data/demo"
    ),
    media_port: Annotated[int, typer.Option(help="where cover pictures are served")] = 8702,
    vendor_port: Annotated[int, typer.Option(help="where the rented stand-in listens")] = 8703,
    browser: Annotated[bool, typer.Option(help="open the console in a browser")] = True,
) -> None:
    """Build a community, play some days of its life, then stay up with people living in it.

    Everything is simulated, the rented model too; nothing leaves this machine. Ctrl-C stops it, a
    second start goes on from there, another --folder begins anew.
    """
    if chosen_name():
        raise InputError("inhouse demo makes a community of its own; leave --community out")
    plan = Plan(
        folder=folder,
        people=people,
        posts=posts,
        days=days,
        seed=seed,
        media_port=media_port,
        vendor_port=vendor_port,
    )
    folder.mkdir(parents=True, exist_ok=True)
    shared = environment(plan, load_settings())
    os.environ.update(shared)
    settings = load_settings()
    configure_logs(role="demo", level=settings.app.log_level)
    _check_ports(settings, plan)
    with open_services(settings) as services:
        key = prepare(services, plan)
    _run(settings, plan, key, browser=browser)


def _run(settings: Settings, plan: Plan, key: str, *, browser: bool) -> None:
    reading, writing = os.pipe()
    supervisor = Supervisor(
        [
            *programs_of(settings, roles_of(settings)),
            simulator_program(plan, settings, key, writing),
        ],
        dict(os.environ),
    )
    on_signals(supervisor.stop)
    supervisor.start()
    story = Story(settings=settings, plan=plan)
    threading.Thread(target=story.listen, args=(os.fdopen(reading),), daemon=True).start()
    with Live(story.text(), console=console, refresh_per_second=4) as live:
        supervisor.run(lambda: story.tell(live, browser=browser))
    console.print("stopped; `inhouse demo` goes on from here")


@dataclass
class Story:
    """What a person at the terminal is told."""

    settings: Settings
    plan: Plan
    hour: dict[str, Any] = field(default_factory=dict)
    opened: bool = False
    told: str = ""  # the line that a file or a pipe got last

    def listen(self, lines: IO[str]) -> None:
        """Follow the community's own account of each hour."""
        for line in lines:
            try:
                self.hour = json.loads(line)
            except ValueError:
                continue

    def tell(self, live: Live, *, browser: bool) -> None:
        """Bring the text up to now; open the browser once the console answers. A file or a pipe
        gets a line where something new is to be said, a terminal its two lines again and again."""
        if console.is_terminal:
            live.update(self.text())
        elif (line := self._line()) != self.told:
            self.told = line
            print(line, flush=True)  # as it is: a file has no width
        if not self.opened and answers(self.settings.console.port):
            self.opened = True
            if browser and console.is_terminal:
                webbrowser.open(self._console())

    def text(self) -> Text:
        """Two lines: where to look, and where the community is."""
        if not self.opened:
            return Text("starting the server…")
        links = Text.assemble(
            ("console ", "dim"),
            (self._console(), "bold"),
            (" · feed ", "dim"),
            (f"{self._console()}/feed", "bold"),
            (" · API ", "dim"),
            (f"http://{self.settings.api.host}:{self.settings.api.port}/docs", "bold"),
        )
        return Text.assemble(links, "\n", self._progress())

    def _line(self) -> str:
        """Where to look, and the day: an hour may pass in a second."""
        if not self.opened or not self.hour:
            return self.text().plain.replace("\n", " · ")
        return f"simulated day {self.hour['sim_day'] + 1} · {self._console()}"

    def _console(self) -> str:
        return f"http://{self.settings.console.host}:{self.settings.console.port}"

    def _progress(self) -> Text:
        if not self.hour:
            return Text("people and posts are moving in…", style="dim")
        day, hour = self.hour["sim_day"], self.hour["hour"]
        done = min(1.0, (day * 24 + hour + 1) / max(1, self.plan.days * 24))
        bar = "█" * round(done * 24) + "░" * (24 - round(done * 24))
        state = "playing" if done < 1 else "living on, an hour every half minute"
        return Text.assemble(
            (bar, "green"),
            f" simulated day {day + 1}, {hour:02}:00 · ",
            f"{self.hour.get('visits', 0)} visits this hour · ",
            f"{self.hour.get('events_per_s', 0):,.0f} events/s · {state} · Ctrl-C stops",
        )


def _check_ports(settings: Settings, plan: Plan) -> None:
    """Say at once which port is taken, not from the middle of four starting processes."""
    ports = {
        "INHOUSE_API_PORT": settings.api.port,
        "INHOUSE_CONSOLE_PORT": settings.console.port,
        "--media-port": plan.media_port,
        "--vendor-port": plan.vendor_port,
    }
    check_free(ports)
