"""The nouns of media: what became of a file, what its frames look like, banks of known hashes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from inhouse.core.ids import ItemId
from inhouse.moderation.media.pdq import LEAST_QUALITY, MOST_DISTANCE

HashKind = Literal["pdq", "md5", "sha256"]
HASH_KINDS: Final[tuple[HashKind, ...]] = get_args(HashKind)
HASH_BYTES: Final[Mapping[HashKind, int]] = {"pdq": 32, "md5": 16, "sha256": 32}
HashState = Literal["active", "disabled", "removed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BankSpec:
    """What somebody decides of a bank."""

    name: str  # 1 to 48 of a-z 0-9 _ -, a letter first
    kind: HashKind = "pdq"  # pdq finds likenesses, the others the very same file
    category: str | None = None  # of the policy; None for a bank of what must not match
    p: float = 0.95  # probability that a post with a match belongs to the category
    distance: int = MOST_DISTANCE  # bits in which a match may differ, 0 to 31; pdq alone
    least_quality: int = LEAST_QUALITY  # of the post's picture, 0 to 100; pdq alone
    share: int = 100  # per cent of the hashes that count: raised step by step, a bank is tried out
    active: bool = True  # whether any counts

    @property
    def matches(self) -> bool:
        """False where a match means that the picture is harmless, whatever other banks say."""
        return self.category is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class HashBank:
    """A bank in the store."""

    bank_id: int  # never used twice
    spec: BankSpec
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BankHash:
    """One hash of a bank."""

    hash_id: int  # never used twice
    hash: str  # in hex digits
    note: str | None  # where it is from, in somebody's words
    state: HashState
    added_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """How one picture, or one moment of a video, looks."""

    place: int  # of a picture its number, of a video the second
    pdq: bytes  # 32
    quality: int  # of the hash, 0 to 100


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaHashes:
    """All that is kept of a file."""

    kind: Literal["picture", "video"]
    md5: bytes  # 16
    sha256: bytes  # 32
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Why a file could not be fetched or read."""

    reason: str  # in words, without the address
    again: bool  # whether another try may go better


MediaState = Literal["waiting", "read", "unread"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaRow:
    """Where a post's media stands."""

    item_id: ItemId
    url: str  # where it was to be fetched from
    state: MediaState
    tries: int  # how often it was tried so far
    due_ms: int  # when it is to be tried next
    reason: str | None = None  # why it is unread, or waits for another try
    hashes: MediaHashes | None = None  # where it was read
