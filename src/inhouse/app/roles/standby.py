"""A process that waits to serve: it follows the log, and keeps the state on disk for others.

It holds the same state as the serving process, so it takes over within moments; and since nobody
waits for its answers, it is the one to write the checkpoint that any process starts from.
"""

import os
import sys
import threading
import time
from typing import Final

from inhouse.app.build import Services
from inhouse.app.hub import LOOK_EVERY_S, Hub
from inhouse.app.loading import load_feeds
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger
from inhouse.features import checkpoint

_EVERY_EVENTS: Final = 20_000
_EVERY_S: Final = 600.0
_PAUSE_S: Final = 0.1
_PAUSE_AFTER_FAULT_S: Final = 2.0
_NICE: Final = 10  # of the thread that follows; whoever serves and learns comes first


class Standby:
    """Follows one community until it is called to serve. One thread works, the caller's waits."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._called = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="standby", daemon=True)
        self._kept_offset = 0
        self._heard = 0  # erasures
        self._kept_s = time.monotonic()
        self._log = logger("standby")

    def start(self) -> None:
        """Begin to follow."""
        self._follower.start()

    def take_over(self) -> None:
        """Stop following; afterwards the state belongs to the caller."""
        self._called.set()
        self._follower.join()

    def _follow(self) -> None:
        if sys.platform == "linux":  # counts niceness by thread: whoever serves keeps their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not self._called.is_set():
            try:
                busy = self._step()
            except InhouseError as error:
                self._log.warning("step_failed", kind=type(error).__name__, reason=str(error))
                self._called.wait(_PAUSE_AFTER_FAULT_S)
                continue
            except Exception as error:  # noqa: BLE001 - the thread must live on, and tell of it
                self._log.error("step_crashed", exc_info=error)
                self._called.wait(_PAUSE_AFTER_FAULT_S)
                continue
            if not busy:
                self._called.wait(_PAUSE_S)

    def _step(self) -> bool:
        load_feeds(self._services)
        feeds = self._services.feeds
        done = feeds.catch_up()
        new = self._services.state.log_offset - self._kept_offset
        if self._heard != feeds.follower.erasures:  # what is on disk may name whoever is gone
            self._heard = feeds.follower.erasures
            self._keep()
        elif new >= _EVERY_EVENTS or (new and time.monotonic() - self._kept_s >= _EVERY_S):
            self._keep()
        return done > 0

    def _keep(self) -> None:
        state = self._services.state
        checkpoint.save(state, self._services.checkpoint_path)
        self._kept_offset, self._kept_s = state.log_offset, time.monotonic()
        self._log.info("state_kept", log_offset=state.log_offset)


class Standbys:
    """A standby for every community, those that are added while it waits too."""

    def __init__(self, hub: Hub[Services]) -> None:
        self._hub = hub
        self._standbys: dict[str, Standby] = {}
        self._called = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="standbys", daemon=True)

    def start(self) -> None:
        """Begin to follow them all."""
        self._look()
        self._watcher.start()

    def take_over(self) -> None:
        """Stop following; afterwards the states belong to the caller."""
        self._called.set()
        self._watcher.join()
        for standby in self._standbys.values():
            standby.take_over()

    def _watch(self) -> None:
        while not self._called.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        for gone in self._hub.look():
            standby = self._standbys.pop(gone.settings.community, None)
            if standby is not None:
                standby.take_over()
            gone.close()
        for services in self._hub:
            if services.settings.community not in self._standbys:
                self._standbys[services.settings.community] = standby = Standby(services)
                standby.start()
