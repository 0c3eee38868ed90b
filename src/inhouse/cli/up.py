"""inhouse up: run the roles."""

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.app.settings import load_settings
from inhouse.app.supervisor import Program, Supervisor, on_signals
from inhouse.cli.output import console
from inhouse.core.logs import configure_logs


class Role(StrEnum):
    """What a process can be."""

    api = "api"
    learner = "learner"
    worker = "worker"
    console = "console"


# Each role loads only its own libraries: torch stays out of the process that serves.
MODULES: Final[Mapping[Role, str]] = {
    Role.api: "inhouse.api",
    Role.learner: "inhouse.app.learner",
    Role.worker: "inhouse.app.worker",
    Role.console: "inhouse.console",
}
# One thread a process: a request's matrices are small, and roles share the machine.
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def up(
    role: Annotated[Role | None, typer.Option(help="run this role alone; all by default")] = None,
) -> None:
    """Run the server: all roles on this machine, restarting what dies, or one role alone."""
    settings = load_settings()
    if role is not None:
        os.environ.update(threads())
        os.execv(sys.executable, [sys.executable, "-m", MODULES[role]])
    configure_logs(role="supervisor", level=settings.app.log_level)
    with open_services(settings) as services:
        services.log.last_offset()  # tables are made once, before the roles ask for them
    supervisor = Supervisor(role_programs(), {})
    on_signals(supervisor.stop)
    supervisor.start()
    console.print(
        f"API http://{settings.api.host}:{settings.api.port}/docs · "
        f"console http://{settings.console.host}:{settings.console.port} · Ctrl-C stops all"
    )
    supervisor.run()


def role_programs() -> list[Program]:
    """Every role as a process of its own."""
    return [
        Program(name=role, arguments=("-m", MODULES[role]), environment=threads()) for role in Role
    ]


def threads() -> dict[str, str]:
    """How many threads numeric libraries may start, where the operator has not said otherwise."""
    return {name: os.environ.get(name, "1") for name in _THREADS}
