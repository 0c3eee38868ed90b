"""What a process knows of drills: whether a vendor is cut off, and what it sees meanwhile.

The store is asked at most once a second, and only while calls come: a process hears of a drill, or
of its end, within two seconds, and without a drill nothing else is done. Where the store cannot be
read the process goes on with what it knew; a cut ends at its time whatever the store says.
"""

import asyncio
import secrets
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from inhouse.core.clock import SystemClock
from inhouse.core.errors import StoreError
from inhouse.core.logs import logger
from inhouse.models.drill.going_on import add_calls, open_drill
from inhouse.models.drill.notes import noted_of
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.providers.faults import Heard, Switch
from inhouse.store.database import Database

if TYPE_CHECKING:
    from inhouse.models.asking.gateway import Gateway
    from inhouse.models.drill.shadow import Shadow

_LOOK_EVERY_S: Final = 1.0
_LOG: Final = logger("drill")


class DrillWatch(Switch):
    """The switch of one process and community."""

    def __init__(
        self, database: Database, apart: "Callable[[Switch], Gateway] | None", flag_at: float
    ) -> None:
        """apart: makes a gateway beside the one that serves, with a switch; None in a process that
        judges no texts itself, where a shadow has nothing to do. flag_at: from here on a category
        counts as found."""
        super().__init__()
        self._database = database
        self._clock = SystemClock()
        self._process = secrets.token_hex(8)
        self._looked_s = float("-inf")
        self._drill: Drill | None = None
        self._apart = apart
        self._flag_at = flag_at
        self._shadow: Shadow | None = None

    def is_stale(self) -> bool:
        return monotonic() - self._looked_s > _LOOK_EVERY_S

    async def look(self) -> None:
        # At once, so that of many calls one looks and the others go on.
        self._looked_s = monotonic()
        try:
            drill = await asyncio.to_thread(self._open)
        except StoreError as error:
            _LOG.warning("drills_unreadable", reason=str(error))
            return
        if drill != self._drill:
            self._take(drill)

    def _open(self) -> Drill | None:
        with self._database.read() as connection:
            return open_drill(connection, self._clock.now_ms())

    def hear(self, heard: Heard) -> None:
        drill = self._drill
        if drill is None:
            return
        if drill.how == "live":
            self._note(noted_of(drill.cut(), heard, self._process, self._clock.now_ms()))
        elif self._shadow is not None:
            self._shadow.hear(heard)

    async def close(self) -> None:
        """Let go of the gateway beside."""
        shadow, self._shadow, self._drill = self._shadow, None, None
        self.listens, self.cut, self._looked_s = False, None, float("-inf")
        if shadow is not None:
            await asyncio.to_thread(shadow.close)

    def _take(self, drill: Drill | None) -> None:
        known, self._drill = self._drill, drill
        self.listens = drill is not None
        is_live = drill is not None and drill.how == "live" and drill.ended_ms is None
        self.cut = drill.cut() if drill is not None and is_live else None
        if known is None or drill is None or known.drill_id != drill.drill_id:
            _LOG.info(
                "drill_heard_of",
                vendor=drill.vendor if drill else None,
                how=drill.how if drill else None,
            )
            if self._shadow is not None:
                self._shadow.stop()
                self._shadow = None
            if drill is not None and drill.how == "shadow" and self._apart is not None:
                # Brings the models of one's own, which a process for calls alone does without.
                from inhouse.models.drill.shadow import Shadow  # noqa: PLC0415

                self._shadow = Shadow(drill, self._apart, self._note, self._process, self._flag_at)
        elif self._shadow is not None:
            self._shadow.follow(drill)

    def _note(self, noted: Noted) -> None:
        """Nobody waits for it; where the store refuses, the grade rests on fewer calls."""
        drill_id = self._drill.drill_id if self._drill is not None else ""
        try:
            self._database.submit(
                lambda connection: add_calls(connection, drill_id, [noted]), patient=True
            )
        except StoreError as error:
            _LOG.warning("drill_call_not_noted", reason=str(error))
