"""The communities that one process holds: the one without a name, and the named ones beside it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

import structlog

from inhouse.app.communities import names_in, settings_of
from inhouse.app.parts import Parts
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger

LOOK_EVERY_S: Final = 2.0  # so soon a process hears of a community that was added or removed
_LOG = logger("hub")
P = TypeVar("P", bound=Parts)


class Hub(Generic[P]):
    """Parts for each community, apart. Looking is for one thread; reading is for any."""

    def __init__(self, home: P) -> None:
        """home: the parts of the installation's own community; the others lie in its folder and
        have parts of the same kind."""
        self.home = home
        self._held: dict[str, P] = {"": home}
        self._refused: dict[str, str] = {}  # by name, why its settings cannot be used
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[P]:
        with self._lock:
            return iter(list(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    @property
    def alone(self) -> bool:
        """Whether there is no community with a name: then nothing here is different from ever."""
        return len(self._held) + len(self._refused) == 1

    @property
    def refused(self) -> int:
        """How many are there that cannot be held, for what their settings say."""
        return len(self._refused)

    def look(self) -> list[P]:
        """Take in what was added; returns those that were removed, for the caller to close."""
        names = names_in(self.home.settings)
        with self._lock:
            gone = [self._held.pop(name) for name in list(self._held) if name not in ("", *names)]
        self._refused = {name: why for name, why in self._refused.items() if name in names}
        for name in names:
            if name not in self._held:
                self._take(name)
        return gone

    def renew(self, services: P) -> P:
        """Fresh parts in the place of those that broke, which are closed."""
        services.close()
        fresh = type(services)(services.settings)
        with self._lock:
            if self._held.get(services.settings.community) is services:
                self._held[services.settings.community] = fresh
        if services is self.home:
            self.home = fresh
        return fresh

    def close(self) -> None:
        """Close every community's parts."""
        for services in self:
            services.close()

    def _take(self, name: str) -> None:
        try:
            settings = settings_of(self.home.settings, name)
        except InhouseError as error:
            if self._refused.get(name) != str(error):
                self._refused[name] = str(error)
                _LOG.warning("community_refused", community=name, reason=str(error))
            return
        self._refused.pop(name, None)
        with self._lock:
            self._held[name] = type(self.home)(settings)
        _LOG.info("community_held", community=name)


def log_as(services: Parts) -> None:
    """From now on, in this task, what is logged says of which community it tells."""
    if services.settings.community:
        structlog.contextvars.bind_contextvars(community=services.settings.community)


@contextmanager
def logged_as(services: Parts) -> Iterator[None]:
    """While it lasts, what is logged says of which community it tells."""
    name = services.settings.community
    with structlog.contextvars.bound_contextvars(**({"community": name} if name else {})):
        yield
