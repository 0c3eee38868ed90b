"""The loop every background role runs: a step, a rest, until told to stop; faults are survived."""

import os
import threading
from collections.abc import Callable
from typing import Final

from inhouse.app.roles.supervisor import on_signals, stop_with_parent
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger

_PAUSE_AFTER_FAULT_S: Final = 2.0
_NICE: Final = 5  # whoever serves comes first where they share a machine


def run_loop(name: str, step: Callable[[], bool], pause_s: float) -> None:
    """Call `step` again and again; rest when it says that nothing waited.

    A fault that inhouse raises on purpose (a busy store, a dead vendor) is logged and tried again;
    any other ends the process, and the supervisor starts a fresh one.
    """
    os.nice(_NICE)
    stop = threading.Event()
    on_signals(stop.set)
    stop_with_parent(stop.set)
    log = logger(name)
    log.info("role_ready")
    while not stop.is_set():
        try:
            busy = step()
        except InhouseError as error:
            log.warning("step_failed", kind=type(error).__name__, reason=str(error))
            stop.wait(_PAUSE_AFTER_FAULT_S)
            continue
        if not busy:
            stop.wait(pause_s)
    log.info("role_stopped")
