"""Taking up changed rules in processes that run for long."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from inhouse.app.build import Services
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger
from inhouse.moderation.tools import Rules
from inhouse.moderation.watching import LOOK_EVERY_S

_LOG = logger("rules")


class Heeding:
    """For work in steps: files are read beside the work, and taken up between two steps."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="rules")
        self._looking: Future[Rules | None] | None = None

    def step(self) -> bool:
        """Returns whether the work goes on by other rules."""
        if self._looking is None:
            self._looking = self._pool.submit(self._services.rules_watch.look)
            return False
        if not self._looking.done():
            return False
        fresh, self._looking = self._looking.result(), None
        if fresh is None:
            return False
        self._services.use_rules(fresh)
        _told(self._services)
        return True

    def close(self) -> None:
        """Wait for nothing."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def heed(services: Services) -> None:
    """Look once, and take up what is new; on a thread, for reading may take long."""
    if services.heed_rules():
        _told(services)


def heed_beside(services: Services) -> threading.Event:
    """Go on looking on a thread until the event that is returned is set."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(LOOK_EVERY_S):
            try:
                heed(services)
            except InhouseError as error:  # the store has left; the page says so
                _LOG.warning("heed_failed", reason=str(error))
            except Exception as error:  # noqa: BLE001 - the thread must live on
                _LOG.error("heed_crashed", exc_info=error)

    threading.Thread(target=go_on, name="rules", daemon=True).start()
    return stop


def _told(services: Services) -> None:
    rules = services.rules
    _LOG.info("rules_taken_up", policy=rules.policy.version, reader=rules.reader.version)
