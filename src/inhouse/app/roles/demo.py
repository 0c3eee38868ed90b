"""What a demo needs before its roles start: keys, a rented stand-in, the experiment."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inhouse.app.build import Services
from inhouse.app.roles.supervisor import Program
from inhouse.app.settings import Settings
from inhouse.core.clock import HOUR_MS
from inhouse.core.errors import UnknownError
from inhouse.core.files import write_atomically
from inhouse.engagement.experiments.types import Arm, Experiment

EXPERIMENT: Final = "feed"
_KEY_FILE: Final = "simulator-key.json"
_VENDORS: Final = """# Written by `inhouse demo`: a stand-in that plays a rented model. It charges
# nobody; the bill shows what the model it stands for would cost, marked as simulated.
[rented]
url = "http://127.0.0.1:{port}/v1"
model = "gpt-4.1"
host = "azure"
owner = "openai"
price_as = "openai/gpt-4.1"
terms = "simulated"
simulated = true
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A demo as asked for."""

    folder: Path  # data of this demo alone
    people: int  # at the start
    posts: int  # at the start
    days: int  # simulated days before it slows down
    seed: int  # of the community
    media_port: int  # where cover pictures are served
    vendor_port: int  # where the rented stand-in listens


def environment(plan: Plan, settings: Settings) -> dict[str, str]:
    """The settings of every process of the demo; what the caller set stays."""
    wanted = {
        "INHOUSE_STORE_FOLDER": str(plan.folder),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_APP_LOG_LEVEL": "warning",
        "INHOUSE_API_PUBLIC_ORIGIN": f"http://{settings.console.host}:{settings.console.port}",
        # An hour is played at a time, so what came of a page may stand that far behind in the log.
        "INHOUSE_LEARNING_OUTCOME_WAIT_MS": str(HOUR_MS),
        "INHOUSE_MODELS_VENDORS": str(plan.folder / "vendors.toml"),
    }
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def prepare(services: Services, plan: Plan) -> str:
    """Write the vendor file, start the experiment once; returns the simulator's key."""
    vendors = plan.folder / "vendors.toml"
    write_atomically(vendors, _VENDORS.format(port=plan.vendor_port).encode())
    try:
        services.experiments.get(EXPERIMENT)
    except UnknownError:
        services.experiments.create(_experiment(), services.clock.now_ms())
    return _key(services, plan.folder / _KEY_FILE)


def _experiment() -> Experiment:
    return Experiment(
        key=EXPERIMENT,
        question="do people come back more often to a feed that learns?",
        arms=(
            Arm(key="popular", settings={"ranker": "popular"}),
            Arm(key="learned", settings={"ranker": "learned"}),
        ),
    )


def _key(services: Services, path: Path) -> str:
    """The key of the last start, or a new one; readable by this user alone."""
    if path.exists():
        secret: str = json.loads(path.read_text("utf-8"))["secret"]
        return secret
    _, secret = services.keys.create("simulated community", ["items", "users", "events", "feed"])
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"secret": secret}, file)
    return secret


def simulator_program(plan: Plan, settings: Settings, key: str, output: int) -> Program:
    """The community as a process; its progress goes to the file descriptor `output`."""
    arguments = {
        "api": f"http://{settings.api.host}:{settings.api.port}",
        "seed": plan.seed,
        "people": plan.people,
        "posts": plan.posts,
        "days": plan.days,
        "state": plan.folder / "community.json",
        "truth": plan.folder / "truth.json",
        "media-port": plan.media_port,
        "vendor-port": plan.vendor_port,
    }
    flags = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    return Program(
        name="community",
        arguments=("-m", "inhouse.simulator", *flags, "--live", "--replies"),
        environment={"INHOUSE_SIMULATOR_KEY": key},  # not in the list of processes
        output=output,
    )
