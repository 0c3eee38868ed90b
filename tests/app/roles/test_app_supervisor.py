"""The supervisor: what dies is restarted, what is told to stop stops."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from inhouse.app.roles.supervisor import Program, Supervisor

_SLEEPER = "import time\nwhile True: time.sleep(0.05)"


def _until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_killed_role_is_restarted_and_all_stop_together() -> None:
    """After kill -9 another process takes the role; after stop none is left."""
    supervisor = Supervisor([Program(name="a", arguments=("-c", _SLEEPER))], {})
    supervisor.start()
    first = supervisor.pids()["a"]
    seen = {first}
    killed = False

    def each() -> None:
        nonlocal killed
        if not killed:
            os.kill(first, signal.SIGKILL)
            killed = True
        seen.update(supervisor.pids().values())
        if len(seen) > 1:
            supervisor.stop()

    supervisor.run(each)

    assert len(seen) == 2
    assert supervisor.pids() == {}


_WAITER = (
    "import sys, time\nfrom inhouse.app.roles.supervisor import wait_for_promotion\n"
    "from pathlib import Path\nPath(sys.argv[1]).write_text('ready')\n"
    "if wait_for_promotion():\n    Path(sys.argv[1]).write_text('serving')\n"
    "    while True: time.sleep(0.05)\n"
)


def test_a_standby_takes_the_place_of_who_was_killed(tmp_path: Path) -> None:
    """The process that waited is told to serve at once, and goes by the name of the dead one."""
    told = tmp_path / "told"
    program = Program(name="a", arguments=("-c", _SLEEPER), standby=("-c", _WAITER, str(told)))
    supervisor = Supervisor([program], {})
    supervisor.start()
    before = supervisor.pids()
    killed = False

    def each() -> None:
        nonlocal killed
        if not killed and told.exists():
            os.kill(before["a"], signal.SIGKILL)
            killed = True
        if told.exists() and told.read_text() == "serving":
            assert supervisor.pids() == {"a": before["a-standby"]}
            supervisor.stop()

    supervisor.run(each)

    assert told.read_text() == "serving"
    assert supervisor.pids() == {}


def test_a_standby_ends_with_its_supervisor(tmp_path: Path) -> None:
    """A process that waits and hears nothing more does not begin to serve."""
    told = tmp_path / "told"
    parent = (
        "from inhouse.app.roles.supervisor import Program, Supervisor\n"
        f"s = Supervisor([Program(name='a', arguments=('-c', 'pass'), restart=False,"
        f" standby=('-c', {_WAITER!r}, {str(told)!r}))], {{}})\ns.start()\ns.run()\n"
    )
    _run_and_kill(parent, lambda: told.exists() and told.read_text() == "ready")

    _until(lambda: not _someone_with(str(told)))
    assert told.read_text() == "ready"


def _run_and_kill(code: str, ready: Callable[[], bool]) -> None:
    process = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", code])
    _until(ready)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _someone_with(argument: str) -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in entry.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def test_a_program_that_may_end_is_not_restarted() -> None:
    """A finished program with restart=False stays finished."""
    supervisor = Supervisor([Program(name="once", arguments=("-c", "pass"), restart=False)], {})
    supervisor.start()
    looks = 0

    def each() -> None:
        nonlocal looks
        looks += not supervisor.pids()
        if looks > 3:
            supervisor.stop()

    supervisor.run(each)

    assert supervisor.pids() == {}


def test_children_stop_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """Even kill -9 of the supervisor leaves no role behind."""
    child = (
        "import threading\nfrom inhouse.app.roles.supervisor import stop_with_parent\n"
        "done = threading.Event()\nstop_with_parent(done.set)\ndone.wait()\n"
    )
    pid_file = tmp_path / "pid"
    parent = (
        "from pathlib import Path\nfrom inhouse.app.roles.supervisor import Program, Supervisor\n"
        f"s = Supervisor([Program(name='a', arguments=('-c', {child!r}))], {{}})\ns.start()\n"
        f"Path({str(pid_file)!r}).write_text(str(s.pids()['a']))\ns.run()\n"
    )
    _run_and_kill(parent, lambda: pid_file.exists() and pid_file.read_text() != "")
    pid = int(pid_file.read_text())

    _until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_programs_come_and_go_while_others_run() -> None:
    """A new one is started, one that is not named any more is stopped, the rest are left alone."""
    a, b, c = (Program(name=name, arguments=("-c", _SLEEPER)) for name in "abc")
    supervisor = Supervisor([a, b], {})
    supervisor.start()
    before = supervisor.pids()
    after: dict[str, int] = {}

    def each() -> None:
        if not after:
            supervisor.keep([a, c])
            after.update(supervisor.pids())
        elif not Path(f"/proc/{before['b']}").exists():
            supervisor.stop()

    supervisor.run(each)

    assert sorted(after) == ["a", "c"]
    assert after["a"] == before["a"]
    assert supervisor.pids() == {}
