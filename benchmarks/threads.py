"""What replies cost: pages of a feed beside them, and pages of a thread.

The same posts and people once without replies and once with nine replies to each post, newer and
better liked than the posts; the same requests go to both in turn, by content alone. Then a thread
of ten thousand replies in a store: one page from its beginning, and one from its middle. Times are
the processor's, whatever else the machine does meanwhile.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.common import Report, arguments, quantiles_ms
from benchmarks.community import NOW_MS, allowed, item
from inhouse.app.build import Services, open_services
from inhouse.app.people.threads import Asked, chosen, counted, listed, told
from inhouse.app.settings import load_settings
from inhouse.catalog.threads import Place
from inhouse.catalog.types import Item
from inhouse.core.clock import HOUR_MS
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.core.random import stream
from inhouse.events.types import Event, LoggedEvent
from inhouse.features.state import LiveState
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.threads import Reader
from inhouse.recommend.types import FeedQuery

PEOPLE: Final = 200
TO_EACH: Final = 9  # replies


def reply(number: int, to: Item, at_ms: int) -> Item:
    """An answer on the same topic."""
    return Item(
        item_id=ItemId(f"r{number}"),
        creator_id=UserId(f"c{number % 997}"),
        text=f"{to.title} answered {number % 97}",
        topics=to.topics,
        created_ms=at_ms,
        reply_to=to.item_id,
    )


def state_of(posts: int, replies: int) -> LiveState:
    """People who liked thirty posts each, and as many replies where there are any."""
    state, dice = LiveState(), stream(1, "threads")
    made = [item(n, n % 20) for n in range(posts)]
    state.apply_items(made)
    state.apply_items(reply(n, made[n % posts], NOW_MS - n % HOUR_MS) for n in range(replies))
    liked = [ItemId(f"i{n}") for n in dice.integers(0, posts, 30 * PEOPLE)]
    if replies:
        liked += [ItemId(f"r{n}") for n in dice.integers(0, replies, 30 * PEOPLE)]
    events = [
        Event(
            event_id=EventId(f"e{n}"),
            at_ms=NOW_MS - HOUR_MS + n,
            kind="like",
            user_id=UserId(f"u{n % PEOPLE}"),
            item_id=item_id,
        )
        for n, item_id in enumerate(liked)
    ]
    state.apply_events(
        [LoggedEvent(log_offset=n, received_ms=0, event=each) for n, each in enumerate(events, 1)]
    )
    return state


def pages(report: Report, posts: int, requests: int) -> None:
    """The same requests to both, one after the other."""
    feeds = {n: Feed(state_of(posts, n), Permissive(), patient=True) for n in (0, TO_EACH * posts)}
    took: dict[int, list[float]] = {n: [] for n in feeds}
    for number in range(-PEOPLE, requests):
        for replies, feed in feeds.items():
            user = UserId(f"u{number % PEOPLE}")
            asked = FeedQuery(user_id=user, now_ms=NOW_MS, seed=max(0, number))
            took_ms = _timed(partial(feed.serve, asked))
            if number >= 0:
                took[replies].append(took_ms)
    for replies, times in took.items():
        report.add(what="a page of a feed", posts=posts, replies=replies, **quantiles_ms(times))


def thread(report: Report, replies: int, requests: int) -> None:
    """Twenty of a thread, with how many answer each of them."""
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name:
        folder = Path(name)
        settings = load_settings({"INHOUSE_STORE_FOLDER": name}, folder / "none.toml")
        with open_services(settings) as services:
            root = item(0, 0)
            below = [reply(n, root, NOW_MS + n) for n in range(replies)]
            below += [reply(replies + n, below[n], NOW_MS + n) for n in range(replies)]
            services.catalog.put_items([root, *below])
            verdicts = [allowed(each) for each in (root, *below)]
            services.database.write(lambda connection: append_verdicts(connection, verdicts))
            services.feeds.start()
            for what, place in (("beginning", None), ("middle", replies // 2)):
                after = None if place is None else _place(below[place])
                asked = Asked(item_id=root.item_id, n=20, order="oldest", after=after)
                times = [_timed(partial(_page, services, asked)) for _ in range(requests)]
                row = {"posts": 1, "replies": 2 * replies, **quantiles_ms(times)}
                report.add(what=f"a page of a thread, its {what}", **row)


def _place(of: Item) -> Place:
    return Place(item_id=of.item_id, created_ms=of.created_ms)


def _page(services: Services, asked: Asked) -> None:
    reader = Reader(user_id=UserId("u1"), surface="feed", now_ms=NOW_MS)
    shown = chosen(services, asked, reader, listed(services, asked))
    below = counted(services, reader, told(services, shown))
    assert len(shown.places) == asked.n
    assert below is not None
    assert set(below.values()) == {1}


def _timed(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=1_000)


def main() -> None:
    """Both, one after the other."""
    options = arguments(__doc__ or "", _options)
    report = Report("threads", ("what", "posts", "replies", "p50_ms", "p95_ms", "p99_ms"))
    posts, requests = (2_000, 200) if options.quick else (options.posts, options.requests)
    pages(report, posts, requests)
    thread(report, posts // 2, requests)
    report.finish(options)


if __name__ == "__main__":
    main()
