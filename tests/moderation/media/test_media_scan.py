"""Posts with pictures: read beside the scan, judged with what the banks say, found again later."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from media_worlds import hash_of, picture
from moderation_worlds import Community

from inhouse.catalog.types import Item
from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.erasure import erase_person, told_of
from inhouse.moderation.media.banks import HashBanks
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.reading import Judging, MediaReading
from inhouse.moderation.media.records import media_of
from inhouse.moderation.media.rescan import JOB, MediaRescan, Rescanned
from inhouse.moderation.media.stored import StoredMedia
from inhouse.moderation.media.types import BankSpec, Frame, MediaHashes, Unread
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.types import Label, PersonCall
from inhouse.moderation.verdicts.rows import append_verdicts, with_person
from inhouse.store import tables

SLOW = "https://slow.example/"
LABEL = Label(category="hate", p=0.95, source="hashes:war")


def looks(seed: int) -> MediaHashes:
    found = hash_of(picture(seed, 60, 80))
    frame = Frame(place=0, pdq=found.bits, quality=found.quality)
    return MediaHashes(kind="picture", md5=bytes(16), sha256=bytes(32), frames=(frame,))


def bits(seed: int) -> str:
    return looks(seed).frames[0].pdq.hex()


@dataclass
class FakeReader:
    """Knows pictures by the number at the end of their address; a slow host waits to be let go."""

    answers: dict[str, Unread] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def read(self, url: str) -> MediaHashes | Unread:
        self.asked.append(url)
        if url.startswith(SLOW):
            self.gate.wait(20)
        if url in self.answers:
            return self.answers[url]
        return looks(int(url.rpartition("/")[2]))

    def close(self) -> None:
        self.gate.set()


@dataclass
class World:
    """A community whose posts have pictures, and one bank."""

    community: Community
    banks: HashBanks
    known: KnownHashes
    reader: FakeReader
    reading: MediaReading
    rescan: MediaRescan
    wanted: bool = True

    def post(self, item_id: str, url: str | None, text: str = "plain") -> None:
        item = Item(
            item_id=ItemId(item_id), creator_id=UserId(f"by_{item_id}"), text=text, media_url=url
        )
        self.community.catalog.put_items([item])

    def settle(self, *items: str) -> None:
        """Scan and read until these have a verdict."""
        until_s = time.monotonic() + 20
        while any(self.community.latest(item) is None for item in items):
            self.step()
            assert time.monotonic() < until_s

    def step(self) -> None:
        self.community.scan()
        self.reading.step()
        time.sleep(0.01)
        self.known.refresh(now=True)

    def state(self, item_id: str) -> str | None:
        with self.community.database.read() as connection:
            row = media_of(connection, [item_id]).get(ItemId(item_id))
        return None if row is None else row.state

    def labels(self, item_id: str) -> tuple[Label, ...]:
        verdict = self.community.latest(item_id)
        assert verdict is not None
        return tuple(x for x in verdict.evidence.labels if x.source.startswith("hashes:"))

    def signals(self, item_id: str) -> dict[str, int]:
        verdict = self.community.latest(item_id)
        assert verdict is not None
        return dict(verdict.evidence.signals)

    def due_now(self) -> None:
        """Let time pass for whatever waits for another try."""
        self.community.database.write(lambda c: c.execute(tables.media.update().values(due_ms=0)))


@pytest.fixture
def world(any_community: Community, tmp_path: Path) -> Iterator[World]:
    database, policy = any_community.database, any_community.tools.rules.policy
    known, reader = KnownHashes(database, tmp_path / "hashes"), FakeReader()
    settings = ModerationSettings(media_threads=4)
    rescan = MediaRescan(database, any_community.clock, known, any_community.tools)
    made = World(
        community=any_community,
        banks=HashBanks(database, policy.categories),
        known=known,
        reader=reader,
        reading=MediaReading(
            database,
            reader,
            settings,
            Judging(is_wanted=lambda: made.wanted, known=known, rejudge=rescan.rejudge),
        ),
        rescan=rescan,
    )
    any_community.moderator.media = StoredMedia(database, known, lambda: made.wanted)
    made.banks.create(BankSpec(name="war", category="hate"), 1)
    made.banks.add("war", bits(1), 1)
    yield made
    reader.gate.set()
    made.reading.close()


def test_a_known_picture_is_judged_by_its_bank(world: World) -> None:
    """Label, count and rule; another picture and a post without one add nothing."""
    world.post("known", "https://a.example/1")
    world.post("other", "https://a.example/2")
    world.post("words", None)
    world.settle("known", "other", "words")

    assert world.labels("known") == (LABEL,)
    assert world.signals("known") == {"hashes.hate": 1}
    assert (world.labels("other"), world.signals("other")) == ((), {})
    assert (world.labels("words"), world.signals("words")) == ((), {})
    known = world.community.latest("known")
    assert known is not None
    assert known.decided_by == "rule:hate_clear"
    assert sorted(world.reader.asked) == ["https://a.example/1", "https://a.example/2"]


def test_a_picture_is_read_once(world: World) -> None:
    """An edit of the words judges the same hashes again, another address reads anew."""
    world.post("a", "https://a.example/1")
    world.settle("a")
    world.post("a", "https://a.example/1", "other words")
    world.step()
    assert (world.labels("a"), len(world.community.history("a"))) == ((LABEL,), 2)
    assert world.reader.asked == ["https://a.example/1"]
    world.post("a", "https://a.example/2", "other words")
    for _ in range(100):
        world.step()
        if len(world.community.history("a")) == 3:
            break
    assert world.labels("a") == ()
    assert world.reader.asked == ["https://a.example/1", "https://a.example/2"]


def test_a_slow_host_holds_up_its_own_posts_alone(world: World) -> None:
    """Words and pictures of others are judged meanwhile, however many of its posts came first."""
    for number in range(10):
        world.post(f"slow{number}", f"{SLOW}{number}")
    world.step()
    world.post("words", None)
    world.post("quick", "https://a.example/1")
    world.settle("words", "quick")

    assert [world.community.latest(f"slow{number}") for number in range(10)] == [None] * 10
    assert sum(url.startswith(SLOW) for url in world.reader.asked) == 2
    world.reader.gate.set()
    world.due_now()
    for _ in range(200):
        world.due_now()
        world.step()
        if world.reading.waiting() == 0:
            break
    world.settle(*(f"slow{number}" for number in range(10)))
    assert world.labels("slow1") == (LABEL,)


def test_a_host_that_fails_gets_two_files_at_a_time(world: World) -> None:
    """Its other posts step back behind those of whoever answers, without a try."""
    down = Unread(reason="not there in time", again=True)
    for number in range(9):
        world.reader.answers[f"https://down.example/{number}"] = down
    world.post("first", "https://down.example/0")
    while not world.reading._failing:
        world.step()
    for number in range(1, 9):
        world.post(f"down{number}", f"https://down.example/{number}")
    world.community.scan()
    world.reading.step()
    world.post("quick", "https://a.example/1")
    world.settle("quick")

    assert len(world.reader.asked) == 4
    assert {world.community.latest(f"down{number}") for number in range(1, 9)} == {None}
    with world.community.database.read() as connection:
        tries = sa.select(sa.func.sum(tables.media.c.tries))
        assert connection.execute(tries).scalar_one() == 4


def test_what_fails_for_now_is_tried_three_times(world: World) -> None:
    """Then the post is judged, and its signal says that nobody could see it."""
    url = "https://a.example/9"
    world.reader.answers[url] = Unread(reason="the host answered 503", again=True)
    world.post("a", url)
    for tries in (1, 2, 3):
        assert world.community.latest("a") is None
        world.due_now()
        until_s = time.monotonic() + 10
        while len(world.reader.asked) < tries or world.reading._in_hand:
            world.step()
            assert time.monotonic() < until_s
    world.settle("a")

    assert (world.state("a"), world.signals("a")) == ("unread", {"media_unread": 1})
    assert len(world.reader.asked) == 3


def test_what_cannot_be_read_is_not_tried_again(world: World) -> None:
    """A missing file stays missing."""
    url = "https://a.example/9"
    world.reader.answers[url] = Unread(reason="the host answered 404", again=False)
    world.post("a", url)
    world.settle("a")

    assert (world.signals("a"), world.reader.asked) == ({"media_unread": 1}, [url])


def test_a_file_that_kills_its_reader_is_given_up(world: World) -> None:
    """Whoever took it up and never came back has tried it all the same."""
    world.post("a", "https://a.example/1")
    world.community.scan()
    world.community.database.write(lambda c: c.execute(tables.media.update().values(tries=3)))
    world.settle("a")

    assert (world.signals("a"), world.reader.asked) == ({"media_unread": 1}, [])


def test_a_fault_of_the_reader_costs_one_try(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged and the other files are read."""

    def read(url: str) -> MediaHashes | Unread:
        if url.endswith("/2"):
            raise StoreError("a fault of ours")
        return looks(1)

    monkeypatch.setattr(world.reader, "read", read)
    world.post("a", "https://a.example/1")
    world.post("b", "https://a.example/2")
    world.settle("a")
    for _ in range(20):
        world.step()

    assert world.labels("a") == (LABEL,)
    assert (world.state("b"), world.community.latest("b")) == ("waiting", None)


def test_where_nothing_is_fetched_posts_are_judged_by_their_words(world: World) -> None:
    """And what waited is let go when fetching is switched off."""
    world.post("before", f"{SLOW}1")
    world.community.scan()
    assert world.community.latest("before") is None
    world.wanted = False
    world.post("after", "https://a.example/1")
    world.settle("before", "after")

    assert (world.signals("before"), world.signals("after")) == ({}, {})
    assert (world.state("before"), world.state("after")) == (None, None)


def test_a_post_that_goes_while_it_is_read_leaves_nothing(world: World) -> None:
    """What comes back too late is not kept."""
    world.post("a", f"{SLOW}1")
    world.step()
    world.step()
    database = world.community.database
    told = database.write(lambda c: [name for name, _ in told_of(c, ["by_a"], ["a"])])
    counts = database.write(lambda c: erase_person(c, ["by_a"], ["a"], 5))
    world.reader.gate.set()
    while world.reading._in_hand:
        world.step()

    assert (told, counts["media"]) == (["media"], 1)
    with database.read() as connection:
        assert connection.execute(sa.select(tables.media)).all() == []
        assert connection.execute(sa.select(tables.media_hashes)).all() == []


def test_old_posts_are_found_by_new_hashes(world: World) -> None:
    """New verdicts where the banks say something else now, both ways, and cases where asked."""
    for seed in (1, 2, 3):
        world.post(f"p{seed}", f"https://a.example/{seed}")
    world.settle("p1", "p2", "p3")
    world.banks.create(BankSpec(name="maybe", category="hate", p=0.7), 2)
    world.banks.add("maybe", bits(2), 2)
    world.banks.set_state("war", bits(1), "disabled", 2)
    assert world.rescan.run() == Rescanned(looked_at=3, changed=2, cases=1)

    assert world.labels("p1") == ()
    assert world.labels("p2") == (Label(category="hate", p=0.7, source="hashes:maybe"),)
    assert [len(world.community.history(f"p{seed}")) for seed in (1, 2, 3)] == [2, 2, 1]
    assert world.rescan.run() == Rescanned(looked_at=3, changed=0, cases=0)
    news = world.community.catalog.changes(world.community.catalog.last_change() - 2)
    assert [(change.entity, change.entity_id) for change in news] == [
        ("verdict", "p1"),
        ("verdict", "p2"),
    ]


def test_a_rescan_that_was_killed_goes_on_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked at twice, and the counts are of both runs together."""
    monkeypatch.setattr("inhouse.moderation.media.rescan._PART", 2)
    for seed in range(1, 6):
        world.post(f"p{seed}", f"https://a.example/{seed}")
    world.settle(*(f"p{seed}" for seed in range(1, 6)))
    world.banks.add("war", "\n".join(bits(seed) for seed in range(1, 6)), 2)

    class Killed(Exception):  # noqa: N818 - stands for a signal
        pass

    def kill(done: int, total: int) -> None:
        if done == 4:
            raise Killed

    with pytest.raises(Killed):
        world.rescan.run(kill)
    seen: list[tuple[int, int]] = []
    again = world.rescan.run(lambda done, total: seen.append((done, total)))

    assert seen == [(5, 5)]
    assert again == Rescanned(looked_at=5, changed=4, cases=0)
    assert [len(world.community.history(f"p{seed}")) for seed in range(1, 6)] == [1, 2, 2, 2, 2]
    with world.community.database.read() as connection:
        row = connection.execute(sa.select(tables.jobs).where(tables.jobs.c.job_id == JOB)).one()
    assert row.state == "done"


def test_a_rescan_leaves_posts_that_changed_to_the_scan(world: World) -> None:
    """What nothing has judged as it is now gets one verdict, not two."""
    world.post("a", "https://a.example/2")
    world.settle("a")
    world.post("a", "https://a.example/2", "other words")
    world.banks.add("war", bits(2), 2)

    assert world.rescan.run().changed == 0
    world.step()
    assert (world.labels("a"), len(world.community.history("a"))) == ((LABEL,), 2)


def test_a_rescan_leaves_a_persons_call_in_force(world: World) -> None:
    """The evidence is kept up to date beneath it, and nobody is asked again."""
    world.post("a", "https://a.example/2")
    world.settle("a")
    standing = world.community.latest("a")
    assert standing is not None
    call = PersonCall(action="allow", category=None, name="ana")
    world.community.database.write(lambda c: append_verdicts(c, [with_person(standing, call)]))
    world.banks.create(BankSpec(name="maybe", category="hate", p=0.7), 2)
    world.banks.add("maybe", bits(2), 2)

    assert world.rescan.run() == Rescanned(looked_at=1, changed=1, cases=0)
    after = world.community.latest("a")
    assert after is not None
    assert (after.decided_by, after.evidence.person) == ("person:ana", call)
    assert [label.source for label in world.labels("a")] == ["hashes:maybe"]


def test_posts_of_before_are_read_when_asked_for(world: World) -> None:
    """What nobody has looked at waits to be read, and is judged again when it was."""
    world.wanted = False
    world.post("a", "https://a.example/1")
    world.post("words", None)
    world.settle("a", "words")
    world.wanted = True
    items = next(world.community.catalog.all_items())

    assert [world.rescan.enrol_unread(items) for _ in range(2)] == [1, 0]
    until_s = time.monotonic() + 10
    while world.reading.waiting():
        world.step()
        assert time.monotonic() < until_s
    assert world.labels("a") == (LABEL,)
    assert world.rescan.run().changed == 0
