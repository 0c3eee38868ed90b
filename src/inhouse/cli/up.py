"""inhouse up: run the roles."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.app.settings import Settings, load_settings
from inhouse.app.supervisor import STANDBY, Program, Supervisor, on_signals
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
    if role is not None and role is not Role.api:
        os.environ.update(threads())
        os.execv(sys.executable, [sys.executable, "-m", MODULES[role]])
    configure_logs(role="supervisor", level=settings.app.log_level)
    with open_services(settings) as services:
        services.log.last_offset()  # tables are made once, before the roles ask for them
    supervisor = Supervisor(programs_of(settings, [role] if role else list(Role)), {})
    on_signals(supervisor.stop)
    supervisor.start()
    console.print(_where(settings, role))
    supervisor.run()


def _where(settings: Settings, role: Role | None) -> str:
    api = f"API http://{settings.api.host}:{settings.api.port}/docs"
    console = f"console http://{settings.console.host}:{settings.console.port}"
    return f"{api if role else f'{api} · {console}'} · Ctrl-C stops all"


def programs_of(settings: Settings, roles: Sequence[Role]) -> list[Program]:
    """Each role as a process of its own, the API as so many as the settings say."""
    others = [_program(role) for role in roles if role is not Role.api]
    if Role.api not in roles:
        return others
    serving = [
        replace(_program(Role.api), name=f"api-{number}")
        for number in range(2, settings.api.workers + 1)
    ]
    first = replace(_program(Role.api), standby=("-m", MODULES[Role.api], STANDBY))
    return [first, *serving, *others]


def _program(role: Role) -> Program:
    return Program(name=role, arguments=("-m", MODULES[role]), environment=threads())


def threads() -> dict[str, str]:
    """How many threads numeric libraries may start, where the operator has not said otherwise."""
    return {name: os.environ.get(name, "1") for name in _THREADS}
