"""inhouse up: run the roles."""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

import typer

from inhouse.app.communities import chosen_name, chosen_settings, names_in, settings_of
from inhouse.app.hub import LOOK_EVERY_S
from inhouse.app.parts import Parts
from inhouse.app.roles.supervisor import STANDBY, Program, Supervisor, on_signals
from inhouse.app.settings import SETTINGS_FILE, Settings, load_settings
from inhouse.app.student_door import has_students
from inhouse.cli.output import console
from inhouse.core.errors import ConflictError, InhouseError, InputError
from inhouse.core.logs import configure_logs
from inhouse.core.settings import COMMUNITY


class Role(StrEnum):
    """What a process can be."""

    api = "api"
    learner = "learner"
    worker = "worker"
    console = "console"
    students = "students"
    gateway = "gateway"


# Without a name all of them run, but for this: the role `api` passes calls on too.
_ALONE: Final = Role.gateway
# Each role loads only its own libraries: torch stays out of the process that serves.
MODULES: Final[Mapping[Role, str]] = {
    Role.api: "inhouse.api",
    Role.learner: "inhouse.app.roles.learner",
    Role.worker: "inhouse.app.roles.worker",
    Role.console: "inhouse.console",
    Role.students: "inhouse.api.students",
    Role.gateway: "inhouse.api.gateway",
}
# One thread a process: a request's matrices are small, and roles share the machine.
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def up(
    role: Annotated[Role | None, typer.Option(help="run this role alone; all by default")] = None,
) -> None:
    """Run the server for every community: all roles on this machine, restarting what dies, or one
    role alone. The role gateway runs only when named: it passes calls to rented models on, as api
    does, in a process of its own. With --community only the role console runs, which is each
    community's own."""
    _check_community(role)
    if role is not None and role is not Role.api:
        os.environ.update(threads())
        os.execv(sys.executable, [sys.executable, "-m", MODULES[role]])
    settings = load_settings()
    configure_logs(role="supervisor", level=settings.app.log_level)
    check_free({"INHOUSE_API_PORT": settings.api.port})
    if role is None:
        check_free({"INHOUSE_CONSOLE_PORT": settings.console.port})
    _make_tables(settings)
    roles = [role] if role else roles_of(settings)
    supervisor = Supervisor(programs_of(settings, roles), {})
    on_signals(supervisor.stop)
    supervisor.start()
    console.print(_where(settings, role))
    supervisor.run(_watch(supervisor, settings, roles))


def roles_of(home: Settings) -> list[Role]:
    """All that run without being named; models trained here get a process where a task is for
    them."""
    students = has_students(home)
    return [role for role in Role if role is not _ALONE and (students or role is not Role.students)]


def _check_community(role: Role | None) -> None:
    """Processes serve all communities; a console is one community's, and needs a port for it."""
    if not chosen_name():
        return
    settings = chosen_settings()
    if role is not Role.console:
        raise InputError(
            "inhouse up serves every community; leave --community out, or add --role console"
        )
    if not settings.console.port:
        file = settings.folder / SETTINGS_FILE
        raise InputError(f"{settings.community} has no console; set [console] port in {file}")


def check_free(ports: Mapping[str, int]) -> None:
    """Say at once which port is taken, not again and again from the middle of what starts.

    ports: by the name of the setting or option that chooses another. Raises ConflictError.
    """
    for name, port in ports.items():
        if answers(port):
            raise ConflictError(f"port {port} is taken by another program; choose one with {name}")


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0


def _make_tables(home: Settings) -> None:
    """Once, before the roles ask for them. A named community that refuses is for the roles to say;
    the others are served without it."""
    _open(home)
    for name in names_in(home):
        with contextlib.suppress(InhouseError):
            _open(settings_of(home, name))


def _open(settings: Settings) -> None:
    parts = Parts(settings)
    try:
        parts.check()
    finally:
        parts.close()


def _watch(supervisor: Supervisor, home: Settings, roles: Sequence[Role]) -> Callable[[], None]:
    """Starts and stops the consoles of communities that come and go."""
    looked_s = time.monotonic()

    def look() -> None:
        nonlocal looked_s
        if time.monotonic() - looked_s >= LOOK_EVERY_S:
            supervisor.keep(programs_of(home, roles))
            looked_s = time.monotonic()

    return look


def _where(settings: Settings, role: Role | None) -> str:
    api = f"API http://{settings.api.host}:{settings.api.port}/docs"
    console = f"console http://{settings.console.host}:{settings.console.port}"
    return f"{api if role else f'{api} · {console}'} · Ctrl-C stops all"


def programs_of(settings: Settings, roles: Sequence[Role]) -> list[Program]:
    """Each role as a process of its own, the API as so many as the settings say. They serve every
    community; a console serves one, so each that has a port for it has its own."""
    others = [_program(role) for role in roles if role is not Role.api]
    if Role.console in roles:
        others += _consoles(settings)
    if Role.api not in roles:
        return others
    serving = [
        replace(_program(Role.api), name=f"api-{number}")
        for number in range(2, settings.api.workers + 1)
    ]
    first = replace(_program(Role.api), standby=("-m", MODULES[Role.api], STANDBY))
    return [first, *serving, *others]


def _consoles(home: Settings) -> list[Program]:
    programs = []
    for name in names_in(home):
        with contextlib.suppress(InhouseError):  # what is wrong with it the API says
            if settings_of(home, name).console.port:
                one = _program(Role.console)
                environment = {**one.environment, COMMUNITY: name}
                programs.append(
                    replace(one, name=f"{Role.console}-{name}", environment=environment)
                )
    return programs


def _program(role: Role) -> Program:
    return Program(name=role, arguments=("-m", MODULES[role]), environment=threads())


def threads() -> dict[str, str]:
    """How many threads numeric libraries may start, where the operator has not said otherwise."""
    return {name: os.environ.get(name, "1") for name in _THREADS}
