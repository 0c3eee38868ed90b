"""Which banks a post's media matches, and what follows: pure."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from inhouse.moderation.media.index import Near
from inhouse.moderation.media.types import BankSpec, Frame, HashBank
from inhouse.moderation.signals.read import HASHES
from inhouse.moderation.types import Label, MediaEvidence

Banks = Mapping[int, HashBank]


def evidence_of(
    frames: Sequence[Frame],
    same_file: Iterable[Near],
    banks: Banks,
    look: Callable[[Frame], list[Near]],
) -> MediaEvidence:
    """Labels and counts of a post's media.

    frames: how it looks; same_file: banks' hashes that are its own digests; look: the hashes near
    a frame. A match with a bank of what must not match makes the file, or the frame, harmless.
    """
    exact = matching(same_file, banks, quality=100)
    if any(not spec.matches for spec in exact):
        return MediaEvidence()
    matched: Counter[str] = Counter()
    strongest: dict[tuple[str, str], float] = {}
    for specs in (exact, *(_frame_banks(frame, banks, look) for frame in frames)):
        matched.update({spec.category for spec in specs if spec.category})
        for spec in specs:
            if spec.category:
                strongest[spec.category, spec.name] = spec.p
    return MediaEvidence(
        labels=tuple(
            Label(category=category, p=p, source=f"hashes:{name}")
            for (category, name), p in sorted(strongest.items())
        ),
        signals={HASHES + category: count for category, count in sorted(matched.items())},
    )


def _frame_banks(frame: Frame, banks: Banks, look: Callable[[Frame], list[Near]]) -> list[BankSpec]:
    near = [hit for hit in look(frame) if hit.bank in banks and banks[hit.bank].spec.kind == "pdq"]
    found = matching(near, banks, frame.quality)
    return [] if any(not spec.matches for spec in found) else found


def matching(near: Iterable[Near], banks: Banks, quality: int) -> list[BankSpec]:
    """The banks that count a hash among those found, each once.

    quality: of the hash that was looked for.
    """
    return list(dict.fromkeys(_counting(near, banks, quality)))


def _counting(near: Iterable[Near], banks: Banks, quality: int) -> Iterator[BankSpec]:
    for hit in near:
        bank = banks.get(hit.bank)
        if bank is None or not bank.spec.active:
            continue
        spec = bank.spec
        alike = spec.kind != "pdq" or (
            hit.distance <= spec.distance and quality >= spec.least_quality
        )
        if alike and is_in_share(bank, hit.hash_id):
            yield spec


def is_in_share(bank: HashBank, hash_id: int) -> bool:
    """Whether a hash is among the share of its bank that counts. A larger share keeps all that a
    smaller one had."""
    seed = f"{bank.bank_id}:{hash_id}".encode()
    coin = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big")
    return coin % 100 < bank.spec.share
