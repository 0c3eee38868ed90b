"""CSV, JSON lines and Parquet: one contract for the three, and what each can get wrong."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.app.imports.tabular_world import WRITERS, Rows, records, write_csv, write_parquet

from inhouse.app.imports.run import run_import
from inhouse.app.imports.tabular import open_table
from inhouse.app.imports.types import Counts
from inhouse.catalog.types import Item, User
from inhouse.core.errors import InputError
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.types import Event
from inhouse.models.harvest.labels import Labels, examples
from inhouse.store.database import Database


@pytest.fixture(params=list(WRITERS))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Rows], tuple[Path, str]]:
    """Writes rows into a file of each format; gives its path and the format's name."""
    name: str = request.param

    def write(rows: Rows) -> tuple[Path, str]:
        path = tmp_path / f"rows.{name}"
        WRITERS[name](path, rows)
        return path, name

    return write


def test_items_by_mapped_and_named_columns(written: Callable[[Rows], tuple[Path, str]]) -> None:
    """A pair names a field's column, or a value for all; other fields find their own column."""
    path, name = written(
        [
            {"id": "a", "title": "One, 'two'", "tags": "Cats|dogs||cats", "to": None}
            | {"made": 1_700_000_000},
            {"id": "b", "title": "Löwe\nzwei", "tags": None, "to": "a", "made": 1_700_000_001.5},
        ]
    )
    named = ("item_id=id", "topics=tags", "created_s=made", "reply_to=to")
    pairs = (*named, "creator_id=:me", "kind=:picture")

    assert records(path, name, "items", *pairs) == [
        Item(
            item_id=ItemId("a"),
            creator_id=UserId("me"),
            kind="picture",
            title="One, 'two'",
            topics=("cats", "dogs"),
            created_ms=1_700_000_000_000,
        ),
        Item(
            item_id=ItemId("b"),
            creator_id=UserId("me"),
            kind="picture",
            title="Löwe\nzwei",
            created_ms=1_700_000_001_500,
            reply_to=ItemId("a"),
        ),
    ]


def test_users(written: Callable[[Rows], tuple[Path, str]]) -> None:
    """Numbers and truths are read from each format's own kind of value."""
    path, name = written(
        [
            {
                "user_id": 7,
                "name": "Ada",
                "birth_year": 1990,
                "is_creator": True,
                "created": "2026-01-31",
            }
        ]
    )

    assert records(path, name, "users") == [
        User(
            user_id=UserId("7"),
            name="Ada",
            birth_year=1990,
            is_creator=True,
            created_ms=1_769_817_600_000,
        )
    ]


def test_events_get_an_id_from_what_they_say(written: Callable[[Rows], tuple[Path, str]]) -> None:
    """Without a column of ids, equal rows are one event, in whatever format they come."""
    path, name = written(
        [
            {"who": "u", "item_id": "a", "at": "2026-01-31T12:00:00+01:00", "value": 1500.5},
            {"who": "u", "item_id": "a", "at": "2026-01-31T11:00:00Z", "value": 1500.5},
        ]
    )
    first, second = records(path, name, "events", "user_id=who", "kind=:watch")

    assert first == second
    assert first == Event(
        event_id=EventId("x-1fbf6c4366c41096dd8075d333169fb0"),
        at_ms=1_769_857_200_000,
        kind="watch",
        user_id=UserId("u"),
        item_id=ItemId("a"),
        value=1500.5,
    )


def test_an_event_with_everything(written: Callable[[Rows], tuple[Path, str]]) -> None:
    """All fields of the API can be given."""
    row = {
        "event_id": "e",
        "at_ms": 5,
        "kind": "click",
        "user_id": "u",
        "item_id": "i",
        "page_id": "p",
        "position": 3,
    }
    path, name = written([row])

    assert records(path, name, "events") == [
        Event(
            event_id=EventId("e"),
            at_ms=5,
            kind="click",
            user_id=UserId("u"),
            item_id=ItemId("i"),
            page_id=PageId("p"),
            position=3,
        )
    ]


def test_bad_values_are_listed_and_the_rest_is_stored(
    written: Callable[[Rows], tuple[Path, str]], database: Database
) -> None:
    """Each bad row tells where it stands, the field, the value and what was expected."""
    path, name = written(
        [
            {"item_id": "a", "creator_id": "c", "kind": "text", "created": "2026-01-31"},
            {"item_id": "b", "creator_id": "c", "kind": "song", "created": None},
            {"item_id": "c", "creator_id": None, "kind": None, "created": None},
            {"item_id": "d", "creator_id": "c", "kind": None, "created": "yesterday"},
            {"item_id": "e f", "creator_id": "c", "kind": None, "created": None},
            {"item_id": "a", "creator_id": "c", "kind": None, "created": None},
        ]
    )
    report = run_import(open_table(path, name, "items", []), database)
    unit, first = {"csv": ("line", 2), "jsonl": ("line", 1), "parquet": ("row", 1)}[name]
    expected = (
        "kind: got 'song', expected one of text, picture, video",
        "creator_id: got nothing, expected a value, since it is required",
        "created: got 'yesterday', expected a time like 2026-01-31T12:00:00Z",
        "item_id: got 'e f', expected 1 to 128 of the characters A-Z a-z 0-9 _ . : @ / + = ~ -",
    )

    assert [str(row) for row in report.bad_rows] == [
        f"rows.{name} {unit} {first + place}: {text}" for place, text in enumerate(expected, 1)
    ]
    assert report.counts == Counts(read=6, stored=1, repeated=1, rejected=4, items=1)


def test_wrong_maps_are_told_all_at_once(tmp_path: Path) -> None:
    """Every pair that cannot be used, and every required field that nothing fills."""
    path = tmp_path / "rows.csv"
    write_csv(path, [{"id": "a", "title": "t"}])
    with pytest.raises(InputError) as caught:
        open_table(path, "csv", "items", ["item_id=ident", "titel=title", "text", "kind="])

    fields = (
        "item_id, creator_id, title, text, language, region, media_url, reply_to, kind, topics,"
        " duration_ms, hidden, vectors, created_ms, created_s, created, expires_ms, expires_s,"
        " expires"
    )
    assert str(caught.value) == (
        f"the columns of {path} cannot be used\n"
        "  item_id: got 'ident', expected one of id, title\n"
        f"  map: got 'titel', expected one of {fields}\n"
        "  map: got 'text', expected field=column or field=:value\n"
        "  map: got 'kind=', expected field=column or field=:value\n"
        "  item_id: got no column, expected item_id=COLUMN, or item_id=:VALUE for all\n"
        "  creator_id: got no column, expected creator_id=COLUMN, or creator_id=:VALUE for all"
    )


def test_a_chosen_column_beats_one_that_only_bears_the_name(tmp_path: Path) -> None:
    """`created_s=posted` leaves a column `created_ms` alone."""
    path = tmp_path / "rows.csv"
    write_csv(path, [{"item_id": "a", "creator_id": "c", "created_ms": "nonsense", "posted": "1"}])
    (item,) = records(path, "csv", "items", "created_s=posted")

    assert isinstance(item, Item)
    assert item.created_ms == 1_000


def test_labels_become_what_people_said(
    written: Callable[[Rows], tuple[Path, str]], database: Database
) -> None:
    """A row is one text and one category; rows of one text come together, and twice is once."""
    path, name = written(
        [
            {"words": "buy now", "what": "spam", "is": "1", "who": "ada"},
            {"words": "buy now", "what": "hate", "is": "0", "who": "ada"},
            {"words": "hello", "what": "spam", "is": "false", "who": "ada"},
            {"words": "hello", "what": "rude", "is": "0", "who": "ada"},
            {"words": "hello", "what": "spam", "is": "perhaps", "who": "ada"},
        ]
    )
    columns = ["text=words", "category=what", "value=is", "labelled_by=who", "terms=:own"]

    first = run_import(open_table(path, name, "labels", columns), database)
    again = run_import(open_table(path, name, "labels", columns), database)

    assert (first.counts, again.counts) == (
        Counts(read=5, stored=3, rejected=2, labels=3),
        Counts(read=5, repeated=3, rejected=2),
    )
    assert [(bad.field, bad.value) for bad in first.bad_rows] == [
        ("category", "'rude'"),
        ("value", "'perhaps'"),
    ]
    found = examples(Labels(database).latest("text_harm", 10))
    assert [(e.text, dict(e.people), e.sources, e.terms) for e in found] == [
        ("buy now", {"spam": 1.0, "hate": 0.0}, ("person:ada",), ("own",)),
        ("hello", {"spam": 0.0}, ("person:ada",), ("own",)),
    ]


def test_terms_of_labels_are_known_ones(
    written: Callable[[Rows], tuple[Path, str]], database: Database
) -> None:
    """With their version where the name has none; without terms they are unknown, and a name that
    nobody knows is named with what may have been meant."""
    rows = [{"text": f"text {place}", "category": "spam", "value": "1"} for place in range(3)]
    path, name = written(
        [row | {"terms": terms} for row, terms in zip(rows, ("openai", "", "cc-by"), strict=True)]
    )
    report = run_import(open_table(path, name, "labels", []), database)

    assert [label.terms for label in Labels(database).latest("text_harm", 9)] == [
        "openai-2026-01-01",
        "",
    ]
    (bad,) = report.bad_rows
    assert (bad.field, bad.value) == ("terms", "'cc-by'")
    assert "did you mean `cc-by-4.0`?" in bad.expected


def test_a_label_on_too_long_a_text_is_refused_without_repeating_it(
    tmp_path: Path, database: Database
) -> None:
    """The message gives the length alone."""
    path = tmp_path / "rows.csv"
    write_csv(path, [{"text": "x" * 100_001, "category": "spam", "value": 1}])

    report = run_import(open_table(path, "csv", "labels", []), database)

    (bad,) = report.bad_rows
    assert (bad.field, bad.value, bad.expected) == (
        "text",
        "100,001 characters",
        "at most 100,000 characters",
    )


@pytest.mark.parametrize(("table", "format_name"), [("posts", "csv"), ("items", "xml")])
def test_unknown_tables_and_formats_are_refused(
    tmp_path: Path, table: str, format_name: str
) -> None:
    """The message lists the known ones."""
    path = tmp_path / "rows.csv"
    write_csv(path, [{"item_id": "a"}])
    expected = {
        "posts": "cannot import 'posts'; it is one of items, users, events, labels",
        "items": "cannot read 'xml'; it is one of csv, jsonl, parquet",
    }

    with pytest.raises(InputError) as caught:
        open_table(path, format_name, table, [])
    assert str(caught.value) == expected[table]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("duration_ms", 1.5, "a whole number"),
        ("duration_ms", True, "a whole number"),
        ("duration_ms", "12s", "a whole number"),
        ("hidden", "perhaps", "true or false"),
        ("topics", 7, "a list of names, or names parted by |"),
        ("topics", ["a", 1], "a list of names, or names parted by |"),
        ("vectors", [1.0], "an object of lists of numbers, by name"),
        ("vectors", {"image": [None]}, "an object of lists of numbers, by name"),
        ("created_s", "nan", "seconds since 1970"),
        ("created_s", [], "seconds since 1970"),
        ("created", 5, "a time like 2026-01-31T12:00:00Z"),
        ("title", 1.5, "text"),
    ],
)
def test_values_that_do_not_fit_their_field(
    tmp_path: Path, field: str, value: object, expected: str
) -> None:
    """No value is bent until it fits."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"item_id": "a", "creator_id": "c", field: value}) + "\n")

    assert records(path, "jsonl", "items") == [
        f"rows.jsonl line 1: {field}: got {value!r}, expected {expected}"
    ]


def test_parquet_times_and_lists_are_taken_as_they_are(tmp_path: Path) -> None:
    """Timestamps and lists need no text in between."""
    path = tmp_path / "rows.parquet"
    made = datetime(2026, 1, 31, 12, tzinfo=UTC)
    write_parquet(
        path, [{"item_id": "a", "creator_id": "c", "created": made, "topics": ["A", "b"]}]
    )

    assert records(path, "parquet", "items") == [
        Item(
            item_id=ItemId("a"),
            creator_id=UserId("c"),
            created_ms=1_769_860_800_000,
            topics=("a", "b"),
        )
    ]


def test_the_same_file_elsewhere_is_the_same_source(tmp_path: Path) -> None:
    """A fingerprint tells content and reading, not place."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_csv(tmp_path / folder / "r.csv", [{"item_id": "a", "creator_id": "c", "x": "t"}])
    prints = [
        open_table(tmp_path / folder / "r.csv", "csv", "items", pairs).fingerprint
        for folder, pairs in (("a", []), ("b", []), ("b", ["title=x"]))
    ]

    assert prints[0] == prints[1] != prints[2]
