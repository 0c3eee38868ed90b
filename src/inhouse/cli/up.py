"""inhouse up: run the roles."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from inhouse.api.serve import run_api
from inhouse.app.background import run_learner, run_worker
from inhouse.app.build import open_services
from inhouse.app.settings import Settings, load_settings
from inhouse.app.supervisor import Program, Supervisor, on_signals
from inhouse.cli.output import console
from inhouse.console.serve import run_console
from inhouse.core.logs import configure_logs


class Role(StrEnum):
    """What a process can be."""

    api = "api"
    learner = "learner"
    worker = "worker"
    console = "console"


_RUN: Final[Mapping[Role, Callable[[Settings], None]]] = {
    Role.api: run_api,
    Role.learner: run_learner,
    Role.worker: run_worker,
    Role.console: run_console,
}


def up(
    role: Annotated[Role | None, typer.Option(help="run this role alone; all by default")] = None,
) -> None:
    """Run the server: all roles on this machine, restarting what dies, or one role alone."""
    settings = load_settings()
    configure_logs(role=role or "supervisor", level=settings.app.log_level)
    if role is not None:
        _RUN[role](settings)
        return
    with open_services(settings):
        pass  # tables are made once, before the roles ask for them
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
        Program(name=role, arguments=("-m", "inhouse.cli.main", "up", "--role", role))
        for role in Role
    ]
