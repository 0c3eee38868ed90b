"""MovieLens folders, made up in both formats, and the real ones where they are."""

import gzip
from pathlib import Path

import pytest

from inhouse.app.imports.movielens import open_movielens
from inhouse.app.imports.run import run_import
from inhouse.app.imports.types import Counts
from inhouse.catalog.types import Item, User
from inhouse.core.errors import InputError
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event
from inhouse.store.database import Database

_DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
_COMEDY = "|".join("1" if place in (5, 14) else "0" for place in range(19))
_NONE = "|".join(["0"] * 19)


def _folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / name.replace("_", ".", 1)).write_text(text, encoding="latin-1")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder in the 100K format."""
    return _folder(
        tmp_path,
        u_item=(
            f"1|Amélie's Toys (1995)|02-Jan-1995||http://x/|{_COMEDY}\n"
            f"2|Old (1922)|01-Jan-1922||http://x/|{_NONE}\n"
        ),
        u_user="7|24|M|technician|85711\n",
        u_data="7\t1\t5\t881250949\n7\t2\t3\t881250950\n",
    )


def _records(folder: Path) -> list[object]:
    return [row.record or row.bad for row in open_movielens(folder).read()]


def _like(kind: str, user: str, film: str, at_ms: int) -> Event:
    prefix = user.partition("-")[0]
    numbers = f"{user.partition('-u')[2]}-{film.partition('-m')[2]}"
    return Event(
        event_id=EventId(f"{prefix}-r{numbers}"),
        at_ms=at_ms,
        kind=kind,  # type: ignore[arg-type]
        user_id=UserId(user),
        item_id=ItemId(film),
    )


def test_the_100k_format(small: Path) -> None:
    """Films, people and ratings become items, users and events; Latin-1 is read as such."""
    assert _records(small) == [
        Item(
            item_id=ItemId("ml100k-m1"),
            creator_id=UserId("ml100k-c1"),
            title="Amélie's Toys (1995)",
            text="comedy, romance",
            topics=("comedy", "romance"),
            created_ms=789_004_800_000,
        ),
        Item(
            item_id=ItemId("ml100k-m2"),
            creator_id=UserId("ml100k-c2"),
            title="Old (1922)",
            created_ms=0,
        ),
        User(user_id=UserId("ml100k-u7"), birth_year=1974),
        _like("like", "ml100k-u7", "ml100k-m1", 881_250_949_000),
        _like("click", "ml100k-u7", "ml100k-m2", 881_250_950_000),
    ]


def test_ratings_become_likes_clicks_and_hides(small: Path) -> None:
    """4 and 5 were liked, 3 was watched, 1 and 2 were regretted."""
    lines = "".join(f"7\t{rating}\t{rating}\t{rating}\n" for rating in range(1, 6))
    (small / "u.data").write_text(lines)
    kinds = [r.kind for r in _records(small) if isinstance(r, Event)]

    assert kinds == ["hide", "hide", "click", "like", "like"]


def test_ratings_come_in_the_order_of_their_times(small: Path) -> None:
    """The file's order stands only among equal times; the lines keep their numbers."""
    (small / "u.data").write_text("7\t1\t5\t30\n7\t2\t9\t10\n7\t3\t4\t10\n7\t4\n")
    rows = list(open_movielens(small).read())[3:]

    assert [row.where for row in rows] == [f"u.data line {number}" for number in (4, 2, 3, 1)]


def _million(path: Path, **last: str) -> Path:
    return _folder(
        path,
        movies_dat="1::Toy Story (1995)::Animation|Children's|Comedy\n9::Früh (1950)::Drama\n",
        users_dat="3::F::1::10::48067\n",
        **last,
    )


def test_the_1m_format(tmp_path: Path) -> None:
    """The same from `::` files."""
    folder = _million(tmp_path, ratings_dat="3::9::4::978300760\n")

    assert _records(folder) == [
        Item(
            item_id=ItemId("ml1m-m1"),
            creator_id=UserId("ml1m-c1"),
            title="Toy Story (1995)",
            text="animation, children's, comedy",
            topics=("animation", "children's", "comedy"),
            created_ms=788_918_400_000,
        ),
        Item(
            item_id=ItemId("ml1m-m9"),
            creator_id=UserId("ml1m-c9"),
            title="Früh (1950)",
            text="drama",
            topics=("drama",),
            created_ms=0,
        ),
        User(user_id=UserId("ml1m-u3"), birth_year=1999),
        _like("like", "ml1m-u3", "ml1m-m9", 978_300_760_000),
    ]
    assert open_movielens(folder).notes == ()


def test_1m_sequences_without_times(tmp_path: Path) -> None:
    """Order becomes minutes, and a note says that the times are made up."""
    folder = _million(tmp_path)
    with gzip.open(folder / "sequences.csv.gz", "wt") as handle:
        handle.write("user_id,position,movie_id\n3,0,9\n3,1,1\n")
    source = open_movielens(folder)

    assert [row.record for row in source.read()][3:] == [
        _like("click", "ml1m-u3", "ml1m-m9", 956_620_800_000),
        _like("click", "ml1m-u3", "ml1m-m1", 956_620_860_000),
    ]
    assert source.rows == 5
    assert source.notes == (
        "the sequence file holds no ratings and no times: every line is a click, a minute after the"
        " one before; use it for order within a person, not across people",
    )


def test_bad_lines_are_listed_by_file_and_line(small: Path, database: Database) -> None:
    """The good lines around them are stored."""
    with (small / "u.item").open("a") as handle:
        handle.write(f"3|Late (1996)|96-01-01||x|{_NONE}\n4|short\n")
    with (small / "u.user").open("a") as handle:
        handle.write("8|old|F|x|1\n")
    with (small / "u.data").open("a") as handle:
        handle.write("7\t1\t6\t1\n7\t1\t4\tnoon\n7\t99\t4\t881250951\n7 1 4 5\n")
    report = run_import(open_movielens(small), database)

    assert [str(row) for row in report.bad_rows] == [
        "u.item line 3: release date: got '96-01-01', expected a day like 01-Jan-1995, or nothing",
        "u.item line 4: row: got 2 values, expected 24, parted by '|'",
        "u.user line 2: age: got 'old', expected a whole number of years",
        "u.data line 4: timestamp: got 'noon', expected seconds since 1970",
        "u.data line 6: row: got 1 values, expected 4, parted by '\\t'",
        "u.data line 3: rating: got '6', expected 1, 2, 3, 4 or 5",
        "u.data line 5: item_id: got 'ml100k-m99', expected an item posted to /v1/items before",
    ]
    assert report.counts == Counts(
        read=12, stored=5, repeated=0, rejected=7, items=2, users=1, events=2
    )


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """The message says which files make a set."""
    with pytest.raises(InputError) as caught:
        open_movielens(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path} holds no MovieLens set; expected u.item, u.user and u.data (100K), or"
        " movies.dat, users.dat and ratings.dat or sequences.csv[.gz] (1M)"
    )


def test_an_empty_file_of_a_set_is_refused(small: Path) -> None:
    """Nothing is stored from a set that is not whole."""
    (small / "u.data").write_text("")

    with pytest.raises(InputError, match=r"u\.data is empty; nothing can be imported from it$"):
        open_movielens(small)


@pytest.mark.slow
@pytest.mark.skipif(
    not (_DATA / "ml100k").is_dir(), reason="the data set ml100k is not beside the project"
)
def test_the_real_100k(database: Database) -> None:
    """Every film, person and rating is stored; a second run stores nothing."""
    first = run_import(open_movielens(_DATA / "ml100k"), database)
    second = run_import(open_movielens(_DATA / "ml100k"), database)

    assert first.counts == Counts(
        read=102_625, stored=102_625, items=1_682, users=943, events=100_000
    )
    assert second.counts == Counts(read=102_625, repeated=102_625)
