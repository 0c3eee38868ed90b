"""Banks of hashes: filled, tried out, taken back, and what a file's hashes make of them."""

from itertools import pairwise
from pathlib import Path

import pytest
from media_worlds import flipped

from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.moderation.media.banks import Added, HashBanks
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.types import BankSpec, Frame, MediaHashes
from inhouse.moderation.types import Label, MediaEvidence
from inhouse.store.database import Database

PDQ = "".join(f"{byte:02x}" for byte in range(32))
OTHER = PDQ[::-1]
MD5 = "0f" * 16
CATEGORIES = ("violence", "spam")


def media(*frames: Frame, md5: str = "00" * 16) -> MediaHashes:
    return MediaHashes(kind="video", md5=bytes.fromhex(md5), sha256=bytes(32), frames=frames)


def frame(bits: bytes, quality: int = 90, place: int = 0) -> Frame:
    return Frame(place=place, pdq=bits, quality=quality)


def spec(name: str = "war", **facts: object) -> BankSpec:
    return BankSpec(**{"name": name, "category": "violence", "p": 0.9, **facts})  # type: ignore[arg-type]


@pytest.fixture
def banks(any_database: Database) -> HashBanks:
    return HashBanks(any_database, CATEGORIES)


@pytest.fixture
def known(any_database: Database, tmp_path: Path) -> KnownHashes:
    return KnownHashes(any_database, tmp_path / "hashes")


def said(known: KnownHashes, file: MediaHashes) -> MediaEvidence:
    known.refresh(now=True)
    return known.evidence(file)


def test_a_likeness_of_a_known_picture_is_labelled(banks: HashBanks, known: KnownHashes) -> None:
    """Within the bank's distance, from its quality on; frames are counted by category."""
    banks.create(spec(distance=20, least_quality=60), 1)
    banks.add("war", f"{PDQ},from the exchange\n{OTHER}", 2)
    near, far = flipped(bytes.fromhex(PDQ), 20), flipped(bytes.fromhex(PDQ), 21)

    assert said(known, media(frame(near, 60), frame(far), frame(near, 59), frame(near))) == (
        MediaEvidence(
            labels=(Label(category="violence", p=0.9, source="hashes:war"),),
            signals={"hashes.violence": 2},
        )
    )
    assert said(known, media(frame(far))) == MediaEvidence()


def test_what_must_not_match_wins_over_every_bank(banks: HashBanks, known: KnownHashes) -> None:
    """A frame that is like it says nothing, and a file that is on its list neither."""
    banks.create(spec(), 1)
    banks.create(BankSpec(name="harmless", distance=8), 1)
    banks.create(BankSpec(name="own-logo", kind="md5"), 1)
    banks.add("war", f"{PDQ}\n{OTHER}", 2)
    banks.add("harmless", PDQ, 2)
    banks.add("own-logo", MD5, 2)
    first, second = frame(bytes.fromhex(PDQ)), frame(bytes.fromhex(OTHER))

    assert said(known, media(first)) == MediaEvidence()
    assert said(known, media(first, second)).signals == {"hashes.violence": 1}
    assert said(known, media(first, second, md5=MD5)) == MediaEvidence()
    assert said(known, media(frame(flipped(bytes.fromhex(PDQ), 9)))).signals == {
        "hashes.violence": 1
    }


def test_the_very_same_file_is_found_by_its_digest(banks: HashBanks, known: KnownHashes) -> None:
    """Whether or not it has frames."""
    banks.create(spec("files", kind="md5", category="spam", p=1.0), 1)
    banks.add("files", MD5.upper(), 2)

    assert said(known, media(md5=MD5)) == MediaEvidence(
        labels=(Label(category="spam", p=1.0, source="hashes:files"),),
        signals={"hashes.spam": 1},
    )
    assert said(known, media(md5="01" * 16)) == MediaEvidence()


def test_other_processes_hear_of_every_change(banks: HashBanks, known: KnownHashes) -> None:
    """Of a hash added, disabled, activated and removed, of a bank paused and gone."""
    file = media(frame(bytes.fromhex(PDQ)))
    heard = []

    def hear() -> None:
        heard.append(bool(said(known, file).labels))

    hear()
    banks.create(spec(), 1)
    hear()
    for change in (
        lambda: banks.add("war", PDQ, 1),
        lambda: banks.set_state("war", PDQ, "disabled", 2),
        lambda: banks.set_state("war", PDQ, "active", 3),
        lambda: banks.set_state("war", PDQ, "removed", 4),
        lambda: banks.add("war", PDQ, 5),
        lambda: banks.change(spec(active=False)),
        lambda: banks.change(spec()),
        lambda: banks.remove("war"),
    ):
        change()
        hear()

    assert heard == [False, False, True, False, True, False, True, False, True, False]


def test_a_share_of_a_bank_grows_without_losing_any(banks: HashBanks, known: KnownHashes) -> None:
    """Each hash's coin is thrown once: 30 per cent hold all that 10 held."""
    banks.create(spec(), 1)
    hashes = [flipped(bytes.fromhex(PDQ), 128, seed) for seed in range(200)]
    banks.add("war", "\n".join(each.hex() for each in hashes), 2)
    counted = []
    for share in (0, 10, 30, 100):
        banks.change(spec(share=share))
        known.refresh(now=True)
        counted.append({h for h in hashes if known.evidence(media(frame(h))).labels})

    assert all(smaller <= larger for smaller, larger in pairwise(counted))
    assert [len(each) for each in (counted[0], counted[3])] == [0, 200]
    assert 5 <= len(counted[1]) <= 40 < len(counted[2]) <= 90


def test_a_list_is_kept_with_its_notes_and_its_states(banks: HashBanks) -> None:
    """Twice the same is once; a removed hash is not listed and loses its note."""
    banks.create(spec(), 1)
    assert banks.add("war", f"# a list\n\n{PDQ}, a note\n{OTHER}\n{PDQ}", 2) == Added(
        added=2, known=0
    )
    assert banks.add("war", PDQ, 3) == Added(added=0, known=1)
    banks.set_state("war", OTHER, "disabled", 4)
    first, second = banks.hashes("war")
    assert (first.hash, first.note, first.state, first.added_ms) == (PDQ, "a note", "active", 2)
    assert (second.hash, second.note, second.state) == (OTHER, None, "disabled")
    assert banks.hashes("war", after=first.hash_id) == [second]
    assert [(f.bank.spec.name, f.hashes, f.disabled) for f in banks.facts()] == [("war", 1, 1)]
    banks.set_state("war", PDQ, "removed", 5)
    assert banks.hashes("war") == [second]
    banks.create(spec("peace", category="spam"), 5)
    assert banks.remove("war") == 2
    assert [facts.bank.spec.name for facts in banks.facts()] == ["peace"]


def test_wrong_lines_are_named_and_nothing_is_added(banks: HashBanks) -> None:
    """Short, long, not hex, or with a note that is none."""
    banks.create(spec(), 1)
    text = f"{PDQ}\nabc\n{'zz' * 32}\n{OTHER},a\x00b\n🙂\n"
    with pytest.raises(InputError) as caught:
        banks.add("war", text, 1)

    assert str(caught.value) == (
        "4 of 5 lines cannot be read\n"
        "  line 2: got 'abc', expected the 64 hex digits of a pdq hash\n"
        f"  line 3: got '{'zz' * 32}', expected the 64 hex digits of a pdq hash\n"
        "  line 4: a note of 3 characters, expected at most 200 printable ones\n"
        "  line 5: got '🙂', expected the 64 hex digits of a pdq hash"
    )
    assert banks.hashes("war") == []
    with pytest.raises(InputError, match="100001 lines; expected at most 100000"):
        banks.add("war", "\n" * 100_001, 1)


def test_what_is_wrong_with_a_bank_is_told_at_once(banks: HashBanks) -> None:
    """Every field with its value and its range."""
    wrong = spec("Kein Name", kind="sha1", category="violnce", p=0.0, distance=32, share=101)
    with pytest.raises(InputError) as caught:
        banks.create(wrong, 1)

    assert str(caught.value) == (
        "the bank cannot be made\n"
        "  name: got 'Kein Name', expected 1 to 48 of a-z 0-9 _ -, a letter first\n"
        "  kind: got 'sha1', expected one of pdq, md5, sha256\n"
        "  category: got 'violnce', expected none, or one of spam, violence\n"
        "  p: got 0, expected a number above 0 and at most 1\n"
        "  distance: got 32, expected a whole number from 0 to 31\n"
        "  share: got 101, expected a whole number from 0 to 100"
    )


def test_names_are_taken_once_and_unknown_ones_are_told(banks: HashBanks) -> None:
    """A kind does not change: its hashes are of that kind."""
    banks.create(spec(), 1)
    with pytest.raises(ConflictError, match="a bank named 'war' is there"):
        banks.create(spec(), 2)
    with pytest.raises(UnknownError, match="no bank 'wra'; did you mean `war`"):
        banks.add("wra", PDQ, 2)
    with pytest.raises(InputError, match="kind of 'war' is pdq and stays so"):
        banks.change(spec(kind="md5"))
    with pytest.raises(UnknownError, match="no hash"):
        banks.set_state("war", PDQ, "disabled", 2)
    with pytest.raises(InputError, match="the hash is 'abc'; expected the 64 hex digits"):
        banks.set_state("war", "abc", "disabled", 2)


def test_an_index_made_anew_knows_what_the_old_one_knew(
    any_database: Database, banks: HashBanks, known: KnownHashes, tmp_path: Path
) -> None:
    """The database is the truth: a process with an empty folder reads it all."""
    banks.create(spec(), 1)
    banks.add("war", f"{PDQ}\n{OTHER}", 2)
    banks.set_state("war", OTHER, "disabled", 3)
    file = media(frame(bytes.fromhex(PDQ)), frame(bytes.fromhex(OTHER)))
    fresh = KnownHashes(any_database, tmp_path / "another")

    assert said(known, file) == said(fresh, file) == said(known, file)
    assert said(fresh, file).signals == {"hashes.violence": 1}
