"""Where rows of requests go, and who else hears of them."""

from dataclasses import dataclass, field

from inhouse.models.bounds.limits import Limits
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ports import Listener
from inhouse.models.providers.faults import Switch
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """Where rows go."""

    database: Database
    keeper: Keeper  # for rows that nobody waits for
    limits: Limits | None = None  # of the keys whose calls are passed on; None for none
    listener: Listener | None = None  # for answers of calls passed on that may be learned from
    switch: Switch = field(default_factory=Switch)  # hears of calls while a vendor is cut off
