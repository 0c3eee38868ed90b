"""MovieLens as a community: films are posts, raters are people, a rating is one event.

Two layouts are known: 100K (`u.item`, `u.user`, `u.data`) and 1M (`movies.dat`, `users.dat` and
`ratings.dat`, or `sequences.csv[.gz]` with `user_id,position,movie_id` and nothing else).

What becomes of what:
- A film: its title is the title, its genres are topics and, in words, the text. It was posted on
  the day it came out (1970 for older ones), by a creator of its own, since no maker is named.
- A rating of 4 or 5 is a `like`, of 3 a `click`, of 1 or 2 a `hide`: whoever rated a film had
  chosen to see it, and said afterwards whether that was right.
- Ratings come in the order of their times, since a history is read in the order of the log.
- A line of a sequence file has neither rating nor time: it is a `click`, a minute after the one
  before. Such times keep each person's order and say nothing across people.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from inhouse.app.imports.files import check_text, fingerprint, open_text
from inhouse.app.imports.types import BadRow, Record, Row, Source
from inhouse.catalog.types import Item, User
from inhouse.core.clock import MINUTE_MS
from inhouse.core.errors import InputError
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event, EventKind

_GENRES_100K: Final = (
    "unknown",
    "action",
    "adventure",
    "animation",
    "children's",
    "comedy",
    "crime",
    "documentary",
    "drama",
    "fantasy",
    "film-noir",
    "horror",
    "musical",
    "mystery",
    "romance",
    "sci-fi",
    "thriller",
    "war",
    "western",
)
_KINDS: Final[dict[str, EventKind]] = {
    "1": "hide",
    "2": "hide",
    "3": "click",
    "4": "like",
    "5": "like",
}
# The years in which the ratings were given: ages are as of then.
_RATED_100K: Final = 1998
_RATED_1M: Final = 2000
_SEQUENCES_START_MS: Final = int(datetime(2000, 4, 25, tzinfo=UTC).timestamp() * 1_000)
_YEAR: Final = re.compile(r"\((\d{4})\)\s*$")
_SEQUENCE_NOTE: Final = (
    "the sequence file holds no ratings and no times: every line is a click, a minute after the one"
    " before; use it for order within a person, not across people"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One file of a layout."""

    name: str  # of the file
    separator: str  # between values
    read: Callable[
        [list[str]], Record | tuple[str, str, str]
    ]  # a record, or field, value, expected
    width: int  # values in a line
    header: bool = False  # whether the first line names the columns
    sorted_by: int | None = None  # the value whose number gives the order; None keeps the file's


def open_movielens(folder: Path) -> Source:
    """A source from a folder. Raises InputError where it holds no known layout, or torn files."""
    for parts, notes in _LAYOUTS:
        found = [_present(folder, part.name) for part in parts]
        if all(path is not None for path in found):
            paths = [path for path in found if path is not None]
            return MovieLensSource(paths, parts, notes)
    raise InputError(
        f"{folder} holds no MovieLens set; expected u.item, u.user and u.data (100K), or"
        " movies.dat, users.dat and ratings.dat or sequences.csv[.gz] (1M)"
    )


def _present(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


class MovieLensSource:
    """The files of a layout, one after the other: films, people, ratings."""

    def __init__(self, paths: list[Path], parts: tuple[_Part, ...], notes: tuple[str, ...]) -> None:
        self.kind = "movielens"
        self.notes = notes
        self._files = []
        self.rows = 0
        for path, part in zip(paths, parts, strict=True):
            # The published files are Latin-1; copies in UTF-8 are about.
            lines, encoding = check_text(path, fallback="latin-1")
            self._files.append((path, part, encoding))
            self.rows += lines - part.header
        self.fingerprint = fingerprint(paths, "movielens")

    def read(self) -> Iterator[Row]:
        """See `Source.read`."""
        for path, part, encoding in self._files:
            for number, line in _in_order(part, _lines(path, part, encoding)):
                yield _row(f"{path.name} line {number}", part, line)


def _lines(path: Path, part: _Part, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    with open_text(path, encoding) as handle:
        for number, line in enumerate(handle, 1):
            text = line.rstrip("\r\n")
            if text and not (part.header and number == 1):
                yield number, text


def _in_order(part: _Part, lines: Iterator[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    """Sorted by the part's number, equals as in the file; lines without one come first."""
    place = part.sorted_by
    if place is None:
        return lines

    def key(numbered: tuple[int, str]) -> int:
        values = numbered[1].split(part.separator)
        text = values[place] if len(values) > place else ""
        return int(text) if text.isascii() and text.isdigit() else -1

    return sorted(lines, key=key)


def _row(where: str, part: _Part, line: str) -> Row:
    values = line.split(part.separator)
    if len(values) != part.width:
        bad = BadRow(
            where=where,
            field="row",
            value=f"{len(values)} values",
            expected=f"{part.width}, parted by {part.separator!r}",
        )
        return Row(where=where, bad=bad)
    read = part.read(values)
    if isinstance(read, tuple):
        field, value, expected = read
        return Row(
            where=where,
            bad=BadRow(where=where, field=field, value=repr(value)[:80], expected=expected),
        )
    return Row(where=where, record=read)


_Read = Record | tuple[str, str, str]


def _film(prefix: str, number: str, title: str, genres: list[str], created_ms: int) -> Record:
    item_id = ItemId(f"{prefix}-m{number}")
    return Item(
        item_id=item_id,
        creator_id=UserId(f"{prefix}-c{number}"),
        title=title,
        text=", ".join(genres),
        topics=tuple(genres),
        created_ms=max(0, created_ms),
    )


def _film_100k(values: list[str]) -> _Read:
    number, title, released, flags = values[0], values[1], values[2], values[5:]
    if not set(flags) <= {"0", "1"}:
        return ("genres", "|".join(flags), "19 times 0 or 1")
    created_ms = 0
    if released:
        try:
            day = datetime.strptime(released, "%d-%b-%Y").replace(tzinfo=UTC)
        except ValueError:
            return ("release date", released, "a day like 01-Jan-1995, or nothing")
        created_ms = round(day.timestamp() * 1_000)
    genres = [name for name, flag in zip(_GENRES_100K, flags, strict=True) if flag == "1"]
    return _film(
        "ml100k", number, title, [name for name in genres if name != "unknown"], created_ms
    )


def _film_1m(values: list[str]) -> _Read:
    number, title, genres = values
    year = _YEAR.search(title)
    if year is None:
        return ("title", title, "a title that ends in its year, like Title (1995)")
    created = datetime(max(1, int(year[1])), 1, 1, tzinfo=UTC)
    names = [name.strip().lower() for name in genres.split("|") if name.strip()]
    return _film("ml1m", number, title, names, round(created.timestamp() * 1_000))


def _person_100k(values: list[str]) -> _Read:
    return _person("ml100k", values[0], values[1], _RATED_100K)


def _person_1m(values: list[str]) -> _Read:
    return _person("ml1m", values[0], values[2], _RATED_1M)


def _person(prefix: str, number: str, age: str, rated_in: int) -> _Read:
    if not age.isascii() or not age.isdigit():
        return ("age", age, "a whole number of years")
    return User(user_id=UserId(f"{prefix}-u{number}"), birth_year=rated_in - int(age))


def _rating_100k(values: list[str]) -> _Read:
    return _rating("ml100k", values)


def _rating_1m(values: list[str]) -> _Read:
    return _rating("ml1m", values)


def _rating(prefix: str, values: list[str]) -> _Read:
    user, film, rating, at_s = values
    kind = _KINDS.get(rating)
    if kind is None:
        return ("rating", rating, "1, 2, 3, 4 or 5")
    if not at_s.isascii() or not at_s.isdigit():
        return ("timestamp", at_s, "seconds since 1970")
    return _event(prefix, user, film, kind, int(at_s) * 1_000)


def _step(values: list[str]) -> _Read:
    user, position, film = values
    if not position.isascii() or not position.isdigit():
        return ("position", position, "a whole number, 0 first")
    return _event("ml1m", user, film, "click", _SEQUENCES_START_MS + int(position) * MINUTE_MS)


def _event(prefix: str, user: str, film: str, kind: EventKind, at_ms: int) -> Event:
    return Event(
        event_id=EventId(f"{prefix}-r{user}-{film}"),
        at_ms=at_ms,
        kind=kind,
        user_id=UserId(f"{prefix}-u{user}"),
        item_id=ItemId(f"{prefix}-m{film}"),
    )


_FILMS_100K = _Part(name="u.item", separator="|", read=_film_100k, width=24)
_PEOPLE_100K = _Part(name="u.user", separator="|", read=_person_100k, width=5)
_RATINGS_100K = _Part(name="u.data", separator="\t", read=_rating_100k, width=4, sorted_by=3)
_FILMS_1M = _Part(name="movies.dat", separator="::", read=_film_1m, width=3)
_PEOPLE_1M = _Part(name="users.dat", separator="::", read=_person_1m, width=5)
_RATINGS_1M = _Part(name="ratings.dat", separator="::", read=_rating_1m, width=4, sorted_by=3)
_STEPS_1M = _Part(
    name="sequences.csv", separator=",", read=_step, width=3, header=True, sorted_by=1
)
_LAYOUTS: Final[tuple[tuple[tuple[_Part, ...], tuple[str, ...]], ...]] = (
    ((_FILMS_100K, _PEOPLE_100K, _RATINGS_100K), ()),
    ((_FILMS_1M, _PEOPLE_1M, _RATINGS_1M), ()),
    ((_FILMS_1M, _PEOPLE_1M, _STEPS_1M), (_SEQUENCE_NOTE,)),
)
