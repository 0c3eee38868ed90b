"""Who may ask: the key decides on the community, and nothing else in a request does."""

from collections.abc import Iterable
from typing import TypeVar

from inhouse.api.house import House, Served
from inhouse.app.hub import log_as
from inhouse.app.keys import ApiKey
from inhouse.app.parts import Parts

P = TypeVar("P", bound=Parts)


def admitted(house: House[P], secret: str | None, wanted: str) -> tuple[Served[P], ApiKey]:
    """The community that a key is of, and the key. wanted: a scope.

    Raises AccessError where the key is unknown or lacks the scope, StoreError where its community
    cannot be served.
    """
    served = house.of_key(secret)
    log_as(served.services)
    return served, served.services.keys.require(secret, wanted)


def bearer_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key in the header `authorization`, or None."""
    for name, value in headers:
        if name == b"authorization":
            kind, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if kind.lower() == "bearer" else None
    return None
