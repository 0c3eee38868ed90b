"""A community whose feeds are served: its state follows the log, its model is swapped in."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from inhouse.api.house import Served
from inhouse.app.build import Services
from inhouse.app.feeds.serving import MODEL_EVERY_S
from inhouse.app.heeding import heed
from inhouse.app.hub import logged_as
from inhouse.app.loading import load_feeds
from inhouse.core.errors import InhouseError, StoreError
from inhouse.core.logs import Seldom, logger
from inhouse.moderation.watching import LOOK_EVERY_S as LOOK_AT_RULES_EVERY_S

_TRY_AGAIN_S: Final = 2.0
_LOG = logger("api")


class Following(Served[Services]):
    """One community in a process of the role `api`."""

    def _load(self) -> None:
        """The state as of now; one that stood by is brought up to now."""
        load_feeds(self.services)
        self.services.feeds.catch_up()

    @property
    def keeps_rules(self) -> bool:
        return self.services.rules_watch.trouble is not None

    def _fresh(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        return (self._follow, self._renew, self._heed)

    async def _follow(self) -> None:
        """Hear of what other processes wrote; a store that refuses for a while is asked again."""
        pause_s = self.services.settings.app.follow_ms / 1_000
        failures, seldom = 0, Seldom()
        with logged_as(self.services):
            while True:
                try:
                    self.services.feeds.follower.catch_up()
                except StoreError as error:
                    failures += 1
                    if seldom.is_due():
                        _LOG.warning("follow_failed", reason=str(error), failures=failures)
                    if not self.alone:
                        await self._wait_for_store()
                else:
                    if failures:
                        _LOG.info("follow_goes_on", failures=failures)
                        failures, seldom = 0, Seldom()
                await asyncio.sleep(pause_s)

    async def _wait_for_store(self) -> None:
        """Turn requests away until the store answers. It is asked on a thread: one that is slow to
        refuse would hold up everybody."""
        self.ready = False
        while not self.ready:
            try:
                await asyncio.to_thread(self.services.log.last_offset)
                self.ready = True
            except StoreError:
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _renew(self) -> None:
        """Take up newer models; what takes time is done on a thread while the old one serves."""
        feeds = self.services.feeds
        with logged_as(self.services):
            while True:
                try:
                    fresh = await asyncio.to_thread(feeds.fresh_model)
                    if fresh is None:
                        feeds.move()
                    else:
                        feeds.adopt(fresh)
                except InhouseError as error:
                    _LOG.warning("renew_failed", reason=str(error))
                await asyncio.sleep(MODEL_EVERY_S)

    async def _heed(self) -> None:
        """Take up changed policies and term banks; both are read on a thread."""
        with logged_as(self.services):
            while True:
                await asyncio.sleep(LOOK_AT_RULES_EVERY_S)
                try:
                    await asyncio.to_thread(heed, self.services)
                except InhouseError as error:
                    _LOG.warning("heed_failed", reason=str(error))
