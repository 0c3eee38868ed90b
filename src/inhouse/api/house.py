"""The communities that an API process serves: each with its state, its loops and its own queue.

A request gets in by its key alone, which names its community. What fails in one community is
answered 503 there; the others do not notice.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Generic, TypeVar

from inhouse.api.places import Places
from inhouse.app.hub import LOOK_EVERY_S, Hub, logged_as
from inhouse.app.keys import community_of, unknown_key
from inhouse.app.parts import Parts
from inhouse.app.settings import Settings
from inhouse.core.errors import StoreError
from inhouse.core.logs import Seldom, logger
from inhouse.models.passing.tally import Tally

# Requests of one community that are worked on at once where there are several. A request of another
# one has so many before it at most, however many wait.
AT_ONCE: Final = 16
_AGAIN_S: Final = 1.0  # after a fault
_LOG = logger("api")
P = TypeVar("P", bound=Parts)


class Served(Generic[P]):
    """One community in this process. This much serves calls that are passed on; what more a role
    holds in memory, it adds (`following.Following`)."""

    def __init__(self, services: P, *, alone: bool) -> None:
        """alone: while no other is served, faults are answered as the store tells them."""
        self.services = services
        self.alone = alone
        self.ready = False  # whether its state is loaded and its store answers
        self.opened = False  # once it was, it comes back by itself
        self.turns = asyncio.Semaphore(AT_ONCE)
        # For calls that are passed on: they wait for others, not for this process.
        self.places = Places(services.settings.api.most_asking)
        self.crashes = 0  # of its loops, which began again
        self._loops: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Load what is held in memory, and keep it fresh from then on. Raises InhouseError."""
        await asyncio.to_thread(self._load)
        self._loops = [asyncio.create_task(self._go_on(loop)) for loop in self._fresh()]
        self.ready = self.opened = True

    async def close(self) -> None:
        """Stop following and let go of the database."""
        self.ready = False
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for part in self.services.on_the_loop:
            await part.close()
        await asyncio.to_thread(self.services.close)

    @property
    def keeps_rules(self) -> bool:
        """Whether it goes by earlier rules, for their changed files have faults."""
        return False

    async def _go_on(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A fault that nobody foresaw must not end what keeps this community up to date: it would
        be served as of that moment, and nobody would notice."""
        seldom = Seldom()
        while True:
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be told of
                self.crashes += 1
                if seldom.is_due():
                    with logged_as(self.services):
                        _LOG.error("loop_crashed", loop=loop.__name__, exc_info=error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _load(self) -> None:
        self.services.check()
        self.services.passer.warm_up()

    def _fresh(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """What runs as long as it is served."""
        return ()


class House(Generic[P]):
    """Who is served here, by name."""

    def __init__(self, hub: Hub[P], kind: type[Served[P]]) -> None:
        """kind: what is held of each community."""
        self._hub = hub
        self._kind = kind
        self._served: dict[str, Served[P]] = {}
        self._origins: set[str] = set()
        self._watching: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._served) + self._hub.refused

    @property
    def home(self) -> P | None:
        """The parts of the community without a name, of which health and metrics tell; None while
        it cannot be served."""
        home = self._served.get("")
        return home.services if home is not None and home.ready else None

    @property
    def failing(self) -> int:
        """How many cannot be served at the moment."""
        return self._hub.refused + sum(not served.ready for served in self._served.values())

    @property
    def crashes(self) -> int:
        """How often what keeps communities up to date ended by a fault, and began again."""
        return sum(served.crashes for served in self._served.values())

    @property
    def keeping_rules(self) -> int:
        """In how many the policy's file or a term bank has a fault, so that the rules of before
        stay in force."""
        return sum(served.ready and served.keeps_rules for served in self._served.values())

    @property
    def alone(self) -> bool:
        """Whether there is no community with a name."""
        return self._hub.alone

    def of_key(self, secret: str | None) -> Served[P]:
        """The community that a key names; whether the key is good is for its own keys to say.

        Raises AccessError where no such community is served, StoreError where it cannot be now.
        """
        served = self._served.get(community_of(secret or ""))
        if served is None:
            raise unknown_key()
        if not served.ready:
            raise StoreError("this community cannot be served at the moment; try again later")
        return served

    @property
    def settings(self) -> Settings:
        """Of the process."""
        return self._hub.home.settings

    def origins(self) -> set[str]:
        """Where the browser apps of all communities come from."""
        return self._origins

    def tallies(self) -> list[Tally]:
        """Counts of the calls that were passed on, of each community."""
        return [one.services.tally for one in self._served.values()]

    def generation_blocked(self) -> dict[str, float]:
        """Chats that were blocked in this process, of all communities, by where the harm was."""
        blocked: Counter[str] = Counter()
        for served in self._served.values():
            blocked.update(served.services.generation_blocked())
        return dict(blocked)

    async def take_turn(self, served: Served[P]) -> Callable[[], None] | None:
        """Wait until fewer than AT_ONCE requests of the community are worked on; returns how to
        give the place back, None where there is nobody to be fair to."""
        if served.alone:
            return None
        turns = served.turns
        await turns.acquire()
        return turns.release

    async def open(self) -> None:
        """Load every community. One that is alone must load, or the process ends."""
        await self._look()
        if self._hub.alone:
            await self._served[""].open()
        else:
            await self._open_all()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Let everybody go."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for served in self._served.values():
            await served.close()

    async def _look(self) -> None:
        gone = [self._served.pop(services.settings.community) for services in self._hub.look()]
        for services in self._hub:
            name = services.settings.community
            if name not in self._served:
                self._served[name] = self._kind(services, alone=self._hub.alone)
        for served in self._served.values():
            served.alone = self._hub.alone
        self._origins = {one.settings.api.public_origin for one in self._hub} - {""}
        for served in gone:
            await served.close()

    async def _open_all(self) -> None:
        new = [served for served in self._served.values() if not (served.ready or served.opened)]
        await asyncio.gather(*(self._try_to_open(served) for served in new))

    async def _try_to_open(self, served: Served[P]) -> None:
        with logged_as(served.services):
            try:
                await served.open()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this community's alone
                _LOG.error("community_not_opened", kind=type(error).__name__, reason=str(error))
                # What is half loaded cannot be gone on with.
                served.services = await asyncio.to_thread(self._hub.renew, served.services)

    async def _watch(self) -> None:
        """Hear of communities that were added, removed or mended."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._look()
                await self._open_all()
            except Exception as error:  # noqa: BLE001 - who is served already must go on being served
                _LOG.error("look_failed", kind=type(error).__name__, reason=str(error))
