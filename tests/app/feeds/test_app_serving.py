"""A serving process takes up what is published while it runs."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from causal_models import SHAPE, beside
from inhouse.app.build import Services
from inhouse.app.feeds.serving import FeedRequest
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.errors import StoreError, UnknownError
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.events.types import ServedPage
from inhouse.learning.causal.beside import Beside
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.taste.deltas import Delta, DeltaFacts
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.recommend.levels import FULL


def test_a_delta_is_taken_up_on_top_of_the_snapshot_that_serves(tmp_path: Path) -> None:
    """The first look loads the snapshot, the next its delta, and then there is nothing newer."""
    services = Services(load_settings({"INHOUSE_STORE_FOLDER": str(tmp_path)}, tmp_path / "none"))
    name = SnapshotId("snap_1")
    facts = SnapshotFacts(
        snapshot_id=name, created_ms=1, log_offset=1, page_offset=0, watermark_ms=0
    )
    weights = TasteTrainer(TasteTraining()).export(())
    services.snapshots.publish(TasteSnapshot(facts, weights, None))
    feeds = services.feeds

    first = feeds.swap_model()
    services.snapshots.publish_delta(
        Delta(
            facts=DeltaFacts(base=name, sequence=1, created_ms=2, log_offset=2),
            item_ids=(ItemId("a"),),
            rows=np.ones((1, 64), dtype=np.float32),
        )
    )
    second, third = feeds.swap_model(), feeds.swap_model()
    services.close()

    assert (first, second, third) == (True, True, False)
    assert feeds.feed.snapshot_id == name
    assert feeds._model is not None
    assert (feeds._model.sequence, feeds._model.taste.item_ids) == (1, ("a",))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Of an empty community."""
    built = Services(load_settings({"INHOUSE_STORE_FOLDER": str(tmp_path)}, tmp_path / "none"))
    yield built
    built.close()


def _publish(services: Services, name: str, causal: Beside | None = None) -> Path:
    """A snapshot of that name; returns its folder."""
    facts = SnapshotFacts(
        snapshot_id=SnapshotId(name), created_ms=1, log_offset=1, page_offset=0, watermark_ms=0
    )
    weights = TasteTrainer(TasteTraining()).export(())
    services.snapshots.publish(TasteSnapshot(facts, weights, None, causal))
    return services.snapshots.folder / name


def _corrupt(folder: Path) -> None:
    path = folder / "taste.safetensors"
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(body)


def _truncate(folder: Path) -> None:
    path = folder / "taste.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def _lose_a_file(folder: Path) -> None:
    (folder / "taste.safetensors").unlink()


def _lose_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def test_pages_that_the_log_refuses_are_handed_out_and_counted(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed goes on without its log, and says so; the next page is logged again."""
    refused: Future[int] = Future()
    refused.set_exception(StoreError("the database refused: disk is full"))
    services.feeds.start()
    with monkeypatch.context() as broken:
        broken.setattr(services.pages, "submit", lambda page: refused)
        services.feeds.serve(FeedRequest(user_id=UserId("u")))
    page = services.feeds.serve(FeedRequest(user_id=UserId("u")))

    assert services.feeds.lost_pages == 1
    assert services.pages.page(page.page_id) == page
    services.feeds.catch_up()
    assert not services.state.ahead
    assert services.state.person(UserId("u")).pages == 2


def test_who_asks_twice_at_once_is_shown_nothing_twice(services: Services) -> None:
    """The second page comes behind the first; what others asked in between is not held up by it,
    and every page is logged."""
    posts = [Item(item_id=ItemId(f"i{n}"), creator_id=UserId(f"c{n % 9}")) for n in range(60)]
    services.catalog.put_items(posts)
    asyncio.run(services.moderator.scan())
    services.feeds.start()
    me, other = FeedRequest(user_id=UserId("me")), FeedRequest(user_id=UserId("other"))
    faulty = FeedRequest(user_id=UserId("me"), surface="similar", item_id=ItemId("nowhere"))
    first, wrong, theirs, second = services.feeds.serve_all(
        [(me, FULL), (faulty, FULL), (other, FULL), (me, FULL)]
    )

    assert isinstance(wrong, UnknownError)
    pages = [page for page in (first, theirs, second) if isinstance(page, ServedPage)]
    assert [page.user_id for page in pages] == ["me", "other", "me"]
    mine = [shown.item_id for page in (pages[0], pages[2]) for shown in page.items]
    assert (len(mine), len(set(mine))) == (40, 40)
    assert [services.pages.page(page.page_id) for page in pages] == pages


HARMS = [_corrupt, _truncate, _lose_a_file, _lose_the_manifest, shutil.rmtree]


def _serves(services: Services) -> str | None:
    """Asks for a page; returns the snapshot that is in use."""
    page = services.feeds.serve(FeedRequest(user_id=UserId("u")))
    assert services.pages.page(page.page_id) == page
    assert page.items == ()
    return services.feeds.feed.snapshot_id


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_newer_snapshot_leaves_the_one_that_serves(
    services: Services, harm: Callable[[Path], None]
) -> None:
    """And the next good one is taken up."""
    _publish(services, "snap_1")
    services.feeds.start()
    harm(_publish(services, "snap_2"))
    moved = services.feeds.swap_model()
    during = _serves(services)
    _publish(services, "snap_3")

    assert (moved, during) == (False, "snap_1")
    assert services.feeds.swap_model()
    assert _serves(services) == "snap_3"


@pytest.mark.parametrize("harm", HARMS)
def test_a_snapshot_harmed_while_it_serves_goes_on_serving(
    services: Services, harm: Callable[[Path], None]
) -> None:
    """From memory; nobody goes back to an older one that happens to lie there."""
    _publish(services, "snap_1")
    folder = _publish(services, "snap_2")
    services.feeds.start()
    harm(folder)

    assert services.feeds.swap_model() is False
    assert _serves(services) == "snap_2"


@pytest.mark.parametrize("harm", HARMS)
def test_a_new_process_starts_from_the_newest_good_snapshot(
    services: Services, harm: Callable[[Path], None]
) -> None:
    """However many are broken above it."""
    _publish(services, "snap_1")
    for name in ("snap_2", "snap_3"):
        harm(_publish(services, name))
    services.feeds.start()

    assert _serves(services) == "snap_1"


def test_a_snapshot_that_breaks_between_two_looks_is_passed_over(
    services: Services,
) -> None:
    """It was good when it was found and torn when it was read: no start fails for that."""
    _publish(services, "snap_1")
    folder = _publish(services, "snap_2")
    found = services.snapshots.current()
    _truncate(folder)
    services.feeds.start()

    assert found == "snap_2"
    assert _serves(services) == "snap_1"


def test_without_any_snapshot_there_is_a_feed(services: Services) -> None:
    """All of them lost is as if none had ever been."""
    shutil.rmtree(_publish(services, "snap_1").parent)
    services.feeds.start()

    assert _serves(services) is None


def test_a_causal_model_comes_and_goes_with_the_snapshots_that_name_it(services: Services) -> None:
    """Taken up between two requests like any snapshot; one whose causal model is torn is not."""
    _publish(services, "snap_1")
    services.feeds.start()
    services.snapshots.publish_causal(beside(["a"]))
    _publish(services, "snap_2", beside(["a"]))
    both = services.feeds.swap_model()
    served = _serves(services)
    model = services.feeds._model
    services.snapshots.publish_causal(beside(["a"], "causal_2"))
    _publish(services, "snap_3", beside(["a"], "causal_2"))
    (services.snapshots.causal.folder / "causal_2.safetensors").write_bytes(b"torn")
    torn = services.feeds.swap_model()

    assert (both, served, torn) == (True, "snap_2", False)
    assert model is not None
    assert model.dims == 64 + SHAPE.dims
    assert _serves(services) == "snap_2"
    _publish(services, "snap_4")
    assert services.feeds.swap_model()
    assert _serves(services) == "snap_4"
