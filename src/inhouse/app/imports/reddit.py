"""Reddit posts from a Parquet file as items.

Columns used: `id`, `subreddit`, `title`, `selftext`, `url`, `created_at` (seconds), `over_18`,
`is_self`. No author is given, so the community a post stands in is its creator, and its topic too;
a post marked over 18 has the topic `nsfw` besides. A link to a picture or video becomes the medium;
any other link is the post's text, where moderation reads it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from inhouse.app.imports.files import fingerprint, open_parquet, parquet_rows, require_columns
from inhouse.app.imports.types import BadRow, Row, Source
from inhouse.catalog.types import Item, ItemKind
from inhouse.core.ids import ItemId, UserId

_COLUMNS: Final = (
    "id",
    "subreddit",
    "title",
    "selftext",
    "url",
    "created_at",
    "over_18",
    "is_self",
)
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".gif", ".webp")
_VIDEOS: Final = (".mp4", ".webm", ".gifv")
_VIDEO_HOSTS: Final = frozenset(("youtube.com", "www.youtube.com", "youtu.be", "vimeo.com"))


def open_reddit(path: Path) -> Source:
    """A source from a Parquet file. Raises InputError where it is torn or lacks a column."""
    return RedditSource(path)


class RedditSource:
    """The posts in the order of the file."""

    def __init__(self, path: Path) -> None:
        file = open_parquet(path)
        require_columns(path, file.schema_arrow.names, _COLUMNS)
        self._path = path
        self.kind = "reddit"
        self.rows = file.metadata.num_rows
        self.notes: tuple[str, ...] = ()
        self.fingerprint = fingerprint([path], "reddit")

    def read(self) -> Iterator[Row]:
        """See `Source.read`."""
        rows = parquet_rows(self._path, open_parquet(self._path), _COLUMNS)
        for number, values in enumerate(rows, 1):
            yield _row(f"{self._path.name} row {number}", values)


def _row(where: str, values: tuple[object, ...]) -> Row:
    post_id, subreddit, title, selftext, url, created_s, over_18, is_self = values
    for name, value in zip(_COLUMNS, values, strict=True):
        if value is None and name not in ("selftext", "url"):
            bad = BadRow(where=where, field=name, value="nothing", expected="a value")
            return Row(where=where, bad=bad)
    if not isinstance(created_s, int):
        bad = BadRow(
            where=where,
            field="created_at",
            value=repr(created_s)[:80],
            expected="whole seconds since 1970",
        )
        return Row(where=where, bad=bad)
    community = str(subreddit).lower()
    link = "" if is_self or not url else str(url)
    kind = _kind_of(link)
    item = Item(
        item_id=ItemId(f"reddit-{post_id}"),
        creator_id=UserId(f"r/{community}"),
        kind=kind,
        title=str(title),
        text=str(selftext or "") or ("" if kind != "text" else link),
        topics=(community, "nsfw") if over_18 else (community,),
        media_url=link if kind != "text" else None,
        created_ms=created_s * 1_000,
    )
    return Row(where=where, record=item)


def _kind_of(link: str) -> ItemKind:
    """What a link leads to; text where there is none, or where it is no address."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return "text"
    if parts.scheme not in ("http", "https") or not link.isprintable():
        return "text"
    path = parts.path.lower()
    if parts.netloc.lower() in _VIDEO_HOSTS or path.endswith(_VIDEOS):
        return "video"
    return "picture" if path.endswith(_PICTURES) else "text"
