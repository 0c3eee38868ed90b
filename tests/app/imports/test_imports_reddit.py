"""Reddit posts, made up, and the real ones where they are."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inhouse.app.imports.reddit import open_reddit
from inhouse.app.imports.run import run_import
from inhouse.app.imports.types import Counts
from inhouse.catalog.types import Item
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.store.database import Database

_POSTS = Path(__file__).parents[3] / ".." / "shared" / "data" / "reddit" / "posts.parquet"


def _post(**changes: Any) -> dict[str, Any]:
    post: dict[str, Any] = {
        "id": "abc",
        "subreddit": "Pics",
        "title": "A title",
        "selftext": "",
        "url": "http://i.example/cat.JPG?x=1",
        "created_at": 1_300_000_000,
        "over_18": False,
        "is_self": False,
    }
    return post | changes


def _read(path: Path, *posts: dict[str, Any]) -> list[object]:
    pq.write_table(pa.Table.from_pylist(list(posts)), path)
    return [row.record or str(row.bad) for row in open_reddit(path).read()]


def _item(**changes: Any) -> Item:
    values: dict[str, Any] = {
        "item_id": ItemId("reddit-abc"),
        "creator_id": UserId("r/pics"),
        "title": "A title",
        "topics": ("pics",),
        "created_ms": 1_300_000_000_000,
    }
    return Item(**(values | changes))


def test_a_picture(tmp_path: Path) -> None:
    """A link to a picture is the medium, its community creator and topic."""
    assert _read(tmp_path / "p", _post()) == [
        _item(kind="picture", media_url="http://i.example/cat.JPG?x=1")
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.youtube.com/watch?v=1", {"kind": "video"}),
        ("http://a.example/clip.gifv", {"kind": "video"}),
        ("http://news.example/story", {"text": "http://news.example/story"}),
        ("http://[broken", {"text": "http://[broken"}),
        ("ftp://a/cat.jpg", {"text": "ftp://a/cat.jpg"}),
        (None, {}),
    ],
)
def test_other_links(tmp_path: Path, url: str | None, expected: dict[str, str]) -> None:
    """Videos are media; any other link is text, where moderation reads it."""
    media = {"media_url": url} if "kind" in expected else {}

    assert _read(tmp_path / "p", _post(url=url)) == [_item(**expected, **media)]


def test_a_text_post_and_one_over_18(tmp_path: Path) -> None:
    """A text post has its own words and no medium; an adult one a topic that says so."""
    post = _post(is_self=True, selftext="Words", over_18=True)

    assert _read(tmp_path / "p", post) == [_item(text="Words", topics=("pics", "nsfw"))]


def test_posts_that_lack_something_are_listed(tmp_path: Path) -> None:
    """By row, column and expectation."""
    posts = [_post(title=None), _post(created_at=1.5), _post(selftext=None)]
    path = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_pylist([posts[0], posts[2]]), path)

    first, good = [row.record or str(row.bad) for row in open_reddit(path).read()]
    assert first == "p.parquet row 1: title: got nothing, expected a value"
    assert isinstance(good, Item)
    assert _read(path, posts[1]) == [
        "p.parquet row 1: created_at: got 1.5, expected whole seconds since 1970"
    ]


def test_another_file_is_refused(tmp_path: Path) -> None:
    """The missing columns are named, and those that are there."""
    path = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_pylist([{"id": "a", "title": "t"}]), path)

    with pytest.raises(InputError) as caught:
        open_reddit(path)
    assert str(caught.value) == (
        f"{path} has no column 'subreddit', 'selftext', 'url', 'created_at', 'over_18', 'is_self';"
        " it has 'id', 'title'"
    )


@pytest.mark.slow
@pytest.mark.skipif(not _POSTS.is_file(), reason="the data set reddit is not beside the project")
def test_the_real_posts(database: Database) -> None:
    """All 119,054 posts are stored, none is refused."""
    report = run_import(open_reddit(_POSTS), database)

    assert report.counts == Counts(read=119_054, stored=119_054, items=119_054)
    assert report.bad_rows == ()
