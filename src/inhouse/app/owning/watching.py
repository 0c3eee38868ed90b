"""Looks at every route every other second, whatever else its process is doing.

A thread of its own: the worker's step may wait for a vendor's deadline, and an owned model that has
gone bad is to answer nobody within a minute. What it decides is in the store, so serving processes,
however many, follow it within two seconds; what it has counted is there too, so that whoever
replaces it goes on where it was.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from inhouse.app.build import Services
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger
from inhouse.models.tasks import judging

EVERY_S: Final = 2.0
_LOG = logger("watch")


class RouteWatcher:
    """Watches the routes of one community until closed."""

    def __init__(self, services: Services, every_s: float | None = None) -> None:
        self._services = services
        self._routes, self._registry = services.routes, services.registry
        self._every_s = EVERY_S if every_s is None else every_s
        self._closing = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="route-watch")
        self._going: Future[None] | None = None

    def look(self) -> None:
        """Let every task take the step that its evidence allows, or that a crossed bound forces."""
        use = self._services
        for task in (one.name for one in judging(use.tasks)):
            before = self._routes.current(task)
            now_ms = use.clock.now_ms()
            step = self._routes.step(task, self._registry, use.settings.models, now_ms)
            if step.route.stage != before.stage:
                _LOG.info(
                    "route_moved",
                    task=task,
                    before=before.stage,
                    stage=step.route.stage,
                    reason=step.reason,
                )

    def start(self) -> None:
        """Look again and again in the background."""
        self._going = self._thread.submit(self._go)

    def check(self) -> None:
        """Raise what ended the watching, if anything did: a watcher that is gone is missed."""
        if self._going is not None and self._going.done():
            self._going.result()

    def close(self) -> None:
        """Stop after the look that is under way."""
        self._closing.set()
        self._thread.shutdown()

    def _go(self) -> None:
        database = self._services.database
        while not self._closing.wait(self._every_s) and not database.is_closed:
            try:
                self.look()
            except InhouseError as error:
                _LOG.warning("route_not_looked_at", kind=type(error).__name__, reason=str(error))
