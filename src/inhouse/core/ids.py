"""Identifiers: opaque strings, each kind its own type."""

import os
import random
import re
import time
from typing import Final, NewType

UserId = NewType("UserId", str)
ItemId = NewType("ItemId", str)
EventId = NewType("EventId", str)
PageId = NewType("PageId", str)
SnapshotId = NewType("SnapshotId", str)
CausalId = NewType("CausalId", str)

MAX_ID_CHARS: Final = 128
_ALLOWED: Final = re.compile(r"[A-Za-z0-9_.:@/+=~-]{1,128}")
ID_RULE: Final = "1 to 128 of the characters A-Z a-z 0-9 _ . : @ / + = ~ -"


def is_valid_id(text: object) -> bool:
    """Whether `text` may be used as an id from outside (ASCII, bounded, no spaces)."""
    return isinstance(text, str) and _ALLOWED.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """A fresh id that sorts by time of creation: prefix, 12 hex of ms, 16 hex of randomness."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_DICE.getrandbits(64):016x}"


# Ids must differ, not be secret: a system call for each would cost more than the id.
_DICE: Final = random.Random(os.urandom(16))
os.register_at_fork(after_in_child=lambda: _DICE.seed(os.urandom(16)))
