"""Starts the roles as processes of their own, restarts what dies, stops them all cleanly.

The supervisor shares nothing with its children but the store: any of them may be killed at any
moment. A child that loses its supervisor stops by itself (`stop_with_parent`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from inhouse.core.logs import logger

STANDBY: Final = "--standby"  # the argument of a process that waits to serve
_SERVE: Final = b"serve\n"
_PARENT: Final = "INHOUSE_PARENT_PID"
_POLL_S: Final = 0.1
_FIRST_PAUSE_S: Final = 0.1
_MOST_PAUSE_S: Final = 10.0
_STEADY_S: Final = 10.0
_GRACE_S: Final = 15.0
_NEXT_STANDBY_S: Final = 5.0  # whoever took over has the machine to itself for so long


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A process to keep alive."""

    name: str  # role, shown in logs
    arguments: Sequence[str]  # of the Python interpreter
    environment: Mapping[str, str] = field(default_factory=dict)  # beside our own
    restart: bool = True  # whether its end is a fault; a finished simulator is none
    output: int | None = None  # a file descriptor for standard output, None shares ours
    standby: Sequence[str] = ()  # arguments of a process that waits to take its place; () for none
    waits: bool = False  # whether it is such a process


@dataclass
class _Child:
    program: Program
    process: "subprocess.Popen[bytes]"
    started_s: float
    pause_s: float = _FIRST_PAUSE_S
    restart_at_s: float | None = None
    standby: "_Child | None" = None


class Supervisor:
    """Keeps programs running until told to stop."""

    def __init__(self, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        self._programs = programs
        self._environment = dict(environment)
        self._children: list[_Child] = []
        self._ending: list[subprocess.Popen[bytes]] = []  # told to stop, not gone yet
        self._stop = threading.Event()
        self._log = logger("supervisor")

    def start(self) -> None:
        """Start every program, and whoever stands by."""
        for program in self._programs:
            self._begin(program)

    def keep(self, programs: Sequence[Program]) -> None:
        """Start those that do not run yet, and stop those that are no longer named."""
        wanted = {program.name for program in programs}
        for child in [child for child in self._children if child.program.name not in wanted]:
            self._children.remove(child)
            for one in (child, child.standby):
                if one is not None:
                    self._dismiss(one)
        there = {child.program.name for child in self._children}
        for program in programs:
            if program.name not in there:
                self._begin(program)

    def stop(self) -> None:
        """Ask for the end; `run` returns soon after. Safe to call from a signal handler."""
        self._stop.set()

    def run(self, each: Callable[[], None] = lambda: None) -> None:
        """Watch until stopped, calling `each` a few times a second; then stop every child."""
        try:
            while not self._stop.wait(_POLL_S):
                for child in self._everyone():
                    self._watch(child)
                self._ending = [process for process in self._ending if process.poll() is None]
                each()
        finally:
            self._end()

    def pids(self) -> dict[str, int]:
        """Process ids by role, of those that run."""
        return {child.program.name: child.process.pid for child in self._running()}

    def _begin(self, program: Program) -> None:
        child = self._spawn(program)
        if program.standby:
            child.standby = self._spawn(_standby_of(program))
        self._children.append(child)

    def _dismiss(self, child: _Child) -> None:
        _hang_up(child.process)
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
            self._ending.append(child.process)
        self._log.info("role_dismissed", name=child.program.name)

    def _running(self) -> list[_Child]:
        """Without those that wait for their next start; a standby that took over is one of them."""
        return [
            child
            for child in self._everyone()
            if child.restart_at_s is None and child.process.poll() is None
        ]

    def _everyone(self) -> list[_Child]:
        return [*self._children, *(c.standby for c in self._children if c.standby is not None)]

    def _spawn(self, program: Program) -> _Child:
        environment = {
            **os.environ,
            **self._environment,
            **program.environment,
            _PARENT: str(os.getpid()),
        }
        process = subprocess.Popen(
            [sys.executable, *program.arguments],
            env=environment,
            stdin=subprocess.PIPE if program.waits else subprocess.DEVNULL,
            stdout=program.output,
            start_new_session=True,
        )
        self._log.info("role_started", name=program.name, pid=process.pid)
        return _Child(program=program, process=process, started_s=time.monotonic())

    def _watch(self, child: _Child) -> None:
        now_s = time.monotonic()
        if child.restart_at_s is not None:
            if now_s >= child.restart_at_s:
                _hang_up(child.process)
                fresh = self._spawn(child.program)
                child.process, child.started_s, child.restart_at_s = fresh.process, now_s, None
            return
        code = child.process.poll()
        if code is None or not child.program.restart:
            return
        if child.standby is not None and self._take_over(child, child.standby, code):
            return
        if now_s - child.started_s > _STEADY_S:
            child.pause_s = _FIRST_PAUSE_S
        self._log.warning(
            "role_died", name=child.program.name, code=code, restart_in_s=child.pause_s
        )
        child.restart_at_s = now_s + child.pause_s
        child.pause_s = min(child.pause_s * 2, _MOST_PAUSE_S)

    def _take_over(self, child: _Child, standby: _Child, code: int) -> bool:
        """Let the standby serve in the place of who died; false where it cannot."""
        if standby.restart_at_s is not None or standby.process.poll() is not None:
            return False
        promote(standby.process)
        now_s = time.monotonic()
        self._log.warning(
            "standby_took_over", name=child.program.name, code=code, pid=standby.process.pid
        )
        child.process, child.started_s = standby.process, now_s
        standby.restart_at_s = now_s + _NEXT_STANDBY_S
        return True

    def _end(self) -> None:
        alive = [*(child.process for child in self._running()), *self._ending]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        until_s = time.monotonic() + _GRACE_S
        for child in self._everyone():
            _hang_up(child.process)
        for process in alive:
            try:
                process.wait(max(0.1, until_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.info("all_stopped")


def _standby_of(program: Program) -> Program:
    name = f"{program.name}-standby"
    return replace(program, name=name, arguments=program.standby, standby=(), waits=True)


def promote(process: "subprocess.Popen[bytes]") -> None:
    """Tell a process that stands by (`wait_for_promotion`) to serve from now on."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(_SERVE)
        _hang_up(process)


def _hang_up(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def wait_for_promotion() -> bool:
    """Stand by until the supervisor says to serve; false when the supervisor is gone."""
    return sys.stdin.buffer.readline() == _SERVE


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Call `stop` when the supervisor that started this process is gone, even by `kill -9`."""
    parent = os.environ.get(_PARENT)
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(1.0)
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM and SIGINT."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stop())
