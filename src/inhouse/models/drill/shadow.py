"""A gateway beside the one that serves, with a vendor cut off, asked what the other was asked.

It has a thread and a loop of its own: whatever it waits for, nobody who is served waits with it.
What it cannot keep up with is left out.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from inhouse.core.clock import SystemClock
from inhouse.core.errors import VendorError
from inhouse.core.logs import logger
from inhouse.models.asking.gateway import Gateway
from inhouse.models.asking.routing import place_of
from inhouse.models.drill.notes import is_of, noted_of
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.parity.agreement import ANY, agreement
from inhouse.models.providers.faults import Cut, Heard, Switch
from inhouse.models.types import Answer, Manner, TaskInput

_MOST_OUT: Final = 64  # calls at the same time
_CLOSE_S: Final = 5.0
_MANNER: Final = Manner(keep_texts=False, durable=False, aside=True)
_LOG: Final = logger("drill")


class _Apart(Switch):
    """Cuts the vendor in the gateway beside, and hears of every call there."""

    def __init__(self, hear: Callable[[Heard], None], cut: Cut) -> None:
        super().__init__(cut=cut)
        self.listens = True
        self._hear = hear

    def hear(self, heard: Heard) -> None:
        self._hear(heard)


class Shadow:
    """One shadow drill in one process. `hear` and `follow` are for the thread that serves."""

    def __init__(
        self,
        drill: Drill,
        make: Callable[[Switch], Gateway],
        note: Callable[[Noted], None],
        process: str,
        flag_at: float,
    ) -> None:
        """make: a gateway with that switch. note: where counts go. flag_at: from here on a
        category counts as found."""
        self._drill = drill
        self._note = note
        self._process = process
        self._flag_at = flag_at
        self._clock = SystemClock()
        self._switch = _Apart(self._heard_apart, drill.cut())
        self._gateway = make(self._switch)
        self._served: dict[str, Heard] = {}  # by ref
        self._out = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="drill-shadow", daemon=True)
        self._thread.start()

    def follow(self, drill: Drill) -> None:
        """Hear that the drill was ended: from now on the vendor is there again."""
        if drill.ended_ms is not None:
            self._switch.cut = None

    def hear(self, heard: Heard) -> None:
        """A call that was served: ask for a share of its texts once more, without the vendor."""
        chosen = [
            given
            for given in heard.inputs
            if place_of(heard.task, self._drill.drill_id, given.ref) < self._drill.share
        ]
        if not chosen or self._out >= _MOST_OUT or heard.task not in self._gateway.tasks:
            return
        self._out += 1
        asyncio.run_coroutine_threadsafe(self._ask(heard, chosen), self._loop)

    def stop(self) -> None:
        """Ask no more, without waiting."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def close(self) -> None:
        """Ask no more; wait until the thread has ended."""
        self.stop()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._gateway.close())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    async def _ask(self, served: Heard, inputs: Sequence[TaskInput]) -> None:
        self._served.update(dict.fromkeys((given.ref for given in inputs), served))
        try:
            await self._gateway.ask(self._gateway.tasks[served.task], inputs, _MANNER)
        except VendorError:
            pass  # counted as unanswered
        except Exception as error:  # noqa: BLE001 - a shadow must not touch whoever is served
            _LOG.error("drill_shadow_failed", error=type(error).__name__)
        finally:
            self._out -= 1
            for given in inputs:
                self._served.pop(given.ref, None)

    def _heard_apart(self, heard: Heard) -> None:
        """The gateway beside has answered, or has not."""
        now_ms = self._clock.now_ms()
        cut = self._drill.cut()
        noted = noted_of(cut, heard, self._process, now_ms)
        found = [self._served[one.ref] for one in heard.inputs if one.ref in self._served]
        if found:
            served = {ref: answer for one in found for ref, answer in one.answers.items()}
            noted = compared(noted, cut, served, heard, self._flag_at)
            noted = replace(noted, served_ms=found[0].latency_ms)
        self._note(noted)


def compared(
    noted: Noted, cut: Cut, served: Mapping[str, Answer], heard: Heard, flag_at: float
) -> Noted:
    """With what the vendor had said to those that it served, beside what is said without it."""
    pairs = [
        (served[ref].scores, answer.scores)
        for ref, answer in heard.answers.items()
        if ref in served and is_of(cut, served[ref]) and not is_of(cut, answer)
    ]
    counts = agreement(ANY, pairs, flag_at)
    return replace(
        noted,
        both=counts.both,
        missed=counts.missed,
        extra=counts.extra,
        neither=counts.neither,
    )
