"""Reading from the log what was predicted and what came of it."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from learning_community import Community

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.clock import MINUTE_MS
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog
from inhouse.events.types import Event, EventKind, PageItem, ServedPage
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.learning.joining.joiner import Joiner
from inhouse.learning.measuring.foreseen import Reading, read_foreseen
from inhouse.store.database import Database

START_MS = 1_700_000_000_000
WAIT_MS = 10 * MINUTE_MS
MUCH_LATER_MS = START_MS + 100 * WAIT_MS


@pytest.fixture
def logs(database: Database) -> Logs:
    """Nothing but six posts."""
    found = Logs(catalog=Catalog(database), events=EventLog(database), pages=PageLog(database))
    found.catalog.put_items(
        [
            Item(
                item_id=ItemId(f"i{k}"), creator_id=UserId("c"), title=f"t{k}", created_ms=START_MS
            )
            for k in range(6)
        ]
    )
    return found


def _serve(logs: Logs, name: str, shown: Sequence[int], **more: object) -> ServedPage:
    """Item k is predicted to be clicked with k / 10, and 1 s longer each."""
    page = ServedPage(
        page_id=PageId(name),
        at_ms=START_MS + logs.events.last_offset() * 1_000 + 500,
        user_id=UserId("u"),
        surface="for_you",
        items=tuple(
            PageItem(
                item_id=ItemId(f"i{item}"),
                position=place,
                source="taste",
                sources=("taste",),
                value=0.0,
                predicted={
                    "p_click": item / 10,
                    "p_like": item / 100,
                    "p_hide": 0.01,
                    "dwell_ms": 1_000.0 * item,
                },
                propensity=0.25 if place == 1 else 1.0,
                explored=place == 1,
            )
            for place, item in enumerate(shown)
        ),
        snapshot_id="snap-1",
        log_offset=logs.events.last_offset(),
    )
    page = replace(page, **more)  # type: ignore[arg-type]
    logs.pages.submit(page).result()
    return page


def _do(logs: Logs, kind: EventKind, item: int, **more: object) -> None:
    number = logs.events.last_offset() + 1
    given = {
        "user_id": UserId("u"),
        "at_ms": START_MS + number * 1_000,
        "item_id": ItemId(f"i{item}"),
        **more,
    }
    logs.events.append(
        [Event(event_id=EventId(f"e{number}"), kind=kind, **given)]  # type: ignore[arg-type]
    )


def _read(logs: Logs, now_ms: int = MUCH_LATER_MS, since_ms: int = 0) -> Reading:
    return read_foreseen(
        logs,
        now_ms=now_ms,
        since_ms=since_ms,
        wait_ms=WAIT_MS,
        progress=lambda what, done, total: None,
    )


def test_what_was_predicted_stands_beside_what_came_of_it(logs: Logs) -> None:
    """The page's own numbers, the outcome within the wait, and how cold both sides were then."""
    _do(logs, "click", 5)
    _serve(logs, "p", [3, 1, 4])
    for item in (3, 1):
        _do(logs, "impression", item, page_id=PageId("p"))
    _do(logs, "click", 3, page_id=PageId("p"))
    _do(logs, "like", 3, page_id=PageId("p"))
    _do(logs, "dwell", 3, page_id=PageId("p"), value=900_000.0)
    _do(logs, "hide", 1, page_id=PageId("p"))
    _do(logs, "visit", 0, item_id=None, at_ms=START_MS + 2 * WAIT_MS)
    _do(logs, "like", 1, page_id=PageId("p"), at_ms=START_MS + 3 * WAIT_MS)

    read = _read(logs)

    found = read.foreseen
    assert (read.pages, read.judged, read.unseen, read.unpredicted) == (1, 1, 1, 0)
    assert found.predicted["p_click"].tolist() == [0.3, 0.1]
    assert found.predicted["dwell_ms"].tolist() == [3_000.0, 1_000.0]
    assert found.happened["p_click"].tolist() == [True, False]
    assert found.happened["p_like"].tolist() == [True, False]
    assert found.happened["p_hide"].tolist() == [False, True]
    assert found.dwell_ms.tolist() == [300_000.0, 0.0]
    assert found.explored.tolist() == [False, True]
    assert found.propensity.tolist() == [1.0, 0.25]
    assert found.position.tolist() == [0, 1]
    assert found.person_actions.tolist() == [1.0, 1.0]
    assert found.item_impressions.tolist() == [0.0, 0.0]
    assert found.snapshot_ids == ("snap-1",)


def test_coldness_is_that_of_the_moment(logs: Logs) -> None:
    """Impressions and actions that came after a page make nobody on it less cold."""
    _serve(logs, "p", [3])
    _do(logs, "impression", 3, page_id=PageId("p"))
    _do(logs, "click", 3, page_id=PageId("p"))
    _serve(logs, "q", [3])
    _do(logs, "impression", 3, page_id=PageId("q"))

    found = _read(logs).foreseen

    assert found.item_impressions.tolist() == [0.0, 1.0]
    assert found.person_actions.tolist() == [0.0, 1.0]


def test_every_page_is_accounted_for(logs: Logs) -> None:
    """Late ones, those without profile or predictions, other surfaces and what still waits."""
    _do(logs, "click", 5)
    _serve(logs, "seen", [3])
    _do(logs, "click", 3, page_id=PageId("seen"))
    _serve(logs, "late", [4], log_offset=0)
    _serve(logs, "latest", [1], surface="latest")
    _serve(logs, "unprofiled", [1], profiled=False)
    bare = _serve(logs, "unseen", [2]).items[0]
    _serve(
        logs,
        "unpredicted",
        [],
        items=(msgspec.structs.replace(bare, predicted={}),),
        user_id=UserId("v"),
    )
    _do(logs, "impression", 2, page_id=PageId("unpredicted"), user_id=UserId("v"))
    _serve(logs, "young", [5], at_ms=MUCH_LATER_MS - 1)

    read = _read(logs)

    assert (read.pages, read.judged, read.unfinished) == (6, 3, 1)
    assert (read.late, read.left_out) == (1, 1)
    assert (len(read.foreseen), read.unpredicted, read.unseen) == (1, 1, 1)


def test_only_pages_since_then_are_judged_with_all_that_was_before(logs: Logs) -> None:
    """Earlier pages are not judged, but their impressions count for how cold a post is."""
    _serve(logs, "p", [3])
    _do(logs, "impression", 3, page_id=PageId("p"))
    page = _serve(logs, "q", [3])
    _do(logs, "impression", 3, page_id=PageId("q"))

    read = _read(logs, since_ms=page.at_ms)

    assert (read.pages, read.judged, len(read.foreseen)) == (1, 1, 1)
    assert read.foreseen.item_impressions.tolist() == [1.0]


def test_outcomes_are_those_the_learner_is_taught(community: Community) -> None:
    """The same places in the same order with the same outcomes as the joiner's."""
    community.live(40)
    logs = community.logs
    read = _read(logs, now_ms=1 << 50)
    state = LiveState()
    state.apply_items(logs.catalog.items([f"i{k:02}" for k in range(60)]).values())
    joiner = Joiner(state, wait_ms=WAIT_MS, length=16)
    taught = joiner.take(logs.events.read(0), logs.pages.read(0)).shown
    rest = joiner.mature(1 << 50)

    clicked = np.concatenate([taught.clicked, rest.clicked])
    position = np.concatenate([taught.position, rest.position])
    assert len(clicked) > 200
    assert read.foreseen.happened["p_click"].tolist() == clicked.tolist()
    assert read.foreseen.position.tolist() == position.tolist()
    assert set(read.foreseen.predicted["p_click"].tolist()) == {0.45}
