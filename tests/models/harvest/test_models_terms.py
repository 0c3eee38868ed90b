"""Terms: what is known of them, what they allow, and what that means for weights."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.models.models_texts import register, small_model

from inhouse.core.errors import ConflictError, InputError, SnapshotError, UnknownError
from inhouse.models.harvest.terms import KNOWN, NAMES, UNKNOWN, default_terms, full_name, terms_of
from inhouse.models.owned.files import load_text_model
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.training.cards import bounds, card_in_words, teachers_on
from inhouse.models.training.exporting import Wanted, export_model
from inhouse.models.types import ModelCard, Teacher
from inhouse.moderation.recording.audit import KINDS, Audit
from inhouse.store.database import Database

RENTED = Teacher(source="openai/openai/gpt", terms="openai-2026-01-01", labels=700)
PEOPLE = Teacher(source="person:ann", terms="own", labels=30)


def test_every_terms_entry_is_whole() -> None:
    """It says where it stands and why, fits into a label, and forbids no less than it trains."""
    for name, terms in KNOWN.items():
        assert (terms.name, full_name(name), terms_of(name)) == (name, name, terms)
        assert 0 < len(name) <= 64
        assert terms.title
        assert terms.clause
        assert terms.why
        assert not (terms.trains == "nothing" and terms.leaves), "what may not exist may not leave"
    assert all(full_name(name) in KNOWN for name in NAMES)


def test_what_nobody_knows_allows_nothing() -> None:
    """An empty name, a name of one's own and a vendor without an entry are all the strictest."""
    for name in ("", "enterprise 2026", default_terms("router", "openai"), "🙂", "x" * 10_000):
        assert terms_of(name) is UNKNOWN
    assert not UNKNOWN.may_train("classifier")


@pytest.mark.parametrize(
    ("name", "classifier", "text", "leaves"),
    [
        ("own", True, True, True),
        ("openai-2026-01-01", True, False, False),
        ("anthropic-2025-06-17", False, False, False),
        ("gemini-2025-05-20", False, False, False),
        ("azure-unread", False, False, False),
        ("apache-2.0", True, True, True),
        ("contract-own-use", True, True, False),
        ("cc-by-nc-4.0", False, False, False),
        ("unknown", False, False, False),
    ],
)
def test_what_terms_allow(name: str, classifier: bool, text: bool, leaves: bool) -> None:
    """As read in the documents: OpenAI's exception is for classifiers that stay."""
    terms = terms_of(name)
    found = (terms.may_train("classifier"), terms.may_train("text"), terms.leaves)
    assert found == (classifier, text, leaves)


def _bound(purpose: str, *teachers: Teacher, kind: str = "classifier") -> list[tuple[str, int]]:
    found = bounds(teachers, purpose, kind)  # type: ignore[arg-type]
    return [(bound.terms.name, bound.labels) for bound in found]


def test_terms_bind_by_purpose_and_kind() -> None:
    """One's own classifier may be taught by OpenAI's, others may not have it; a model that writes
    may not be taught so at all; unknown terms forbid both, under one name."""
    mine = replace(RENTED, source="x/y/z", terms="", labels=5)
    other = replace(mine, terms="enterprise 2026", labels=7)

    assert _bound("own use", RENTED, PEOPLE) == []
    assert _bound("others", RENTED, PEOPLE) == [("openai-2026-01-01", 700)]
    assert _bound("own use", RENTED, PEOPLE, kind="text") == [("openai-2026-01-01", 700)]
    assert _bound("own use", mine, other, PEOPLE) == [("unknown", 12)]
    assert _bound("others", PEOPLE) == []


def _version(database: Database, folder: Path, *teachers: Teacher) -> ModelVersion:
    """A registered model that these taught."""
    registry = Registry(database, folder)
    made = register(registry, small_model(), "text_harm-1")
    known = replace(made, card=replace(made.card, teachers=teachers))
    registry.put(known)
    return known


def _wanted(folder: Path, **more: object) -> Wanted:
    given = {"version": "text_harm-1", "folder": folder, "purpose": "others", "by": "ann"}
    return Wanted(**{**given, "at_ms": 9, **more})  # type: ignore[arg-type]


def test_weights_that_terms_bind_do_not_leave(any_database: Database, tmp_path: Path) -> None:
    """The refusal names teacher, labels, clause and what to do, writes no file, and is on record;
    for machines of one's own they are taken out, which is on record too."""
    _version(any_database, tmp_path / "models", RENTED, PEOPLE)
    registry, out = Registry(any_database, tmp_path / "models"), tmp_path / "out"
    with pytest.raises(ConflictError) as caught:
        export_model(any_database, registry, _wanted(out))

    assert str(caught.value) == (
        "text_harm-1 may not be given to others: 700 labels (700 of openai/openai/gpt) came under "
        "openai-2026-01-01: OpenAI Services Agreement, 3.3(e) and its Permitted Exception: output "
        "may not be used to develop competing models; excepted are classifiers and embeddings that "
        "are not distributed or made commercially available to others; train it without them, "
        "`inhouse models train text_harm --without openai-2026-01-01`, or take it out for your own "
        "machines alone, with --own-use"
    )
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "data") == ["models"]
    export_model(any_database, registry, _wanted(out, purpose="own use", by="bo"))

    assert load_text_model(out)[1].teachers == (RENTED, PEOPLE)
    rows = list(Audit(any_database).rows())
    assert [(row.what, row.actor, row.at_ms) for row in rows] == [
        ("export", "person:ann", 9),
        ("export", "person:bo", 9),
    ]
    assert [row.details for row in rows] == [
        {
            "version": "text_harm-1",
            "task": "text_harm",
            "purpose": "others",
            "outcome": "refused",
            "terms": {"openai-2026-01-01": 700},
        },
        {
            "version": "text_harm-1",
            "task": "text_harm",
            "purpose": "own use",
            "outcome": "exported",
            "terms": {},
        },
    ]
    assert Audit(any_database).check().fault is None
    assert "export" in KINDS


def test_free_weights_leave_with_their_papers(database: Database, tmp_path: Path) -> None:
    """Weights, card and a README that says what it is; into an empty folder too."""
    known = _version(database, tmp_path / "models", PEOPLE)
    registry, out = Registry(database, tmp_path / "models"), tmp_path / "out"
    out.mkdir()
    files = export_model(database, registry, _wanted(out))

    assert files == ("README.md", "card.json", "model.safetensors")
    assert (out / "README.md").read_text() == card_in_words(known.card)
    assert json.loads((out / "card.json").read_bytes())["teachers"] == [
        {"source": "person:ann", "terms": "own", "labels": 30}
    ]


def test_what_cannot_be_taken_out(database: Database, tmp_path: Path) -> None:
    """A folder that holds something, an unknown version, nobody to answer for it, torn weights:
    nothing is written and nothing is on record."""
    _version(database, tmp_path / "models", PEOPLE)
    registry, out = Registry(database, tmp_path / "models"), tmp_path / "out"
    with pytest.raises(InputError, match="models holds something already; name a new folder"):
        export_model(database, registry, _wanted(tmp_path / "models"))
    with pytest.raises(UnknownError, match="no model version is called 'x'"):
        export_model(database, registry, _wanted(out, version="x"))
    with pytest.raises(InputError, match="by is empty"):
        export_model(database, registry, _wanted(out, by=" "))
    weights = tmp_path / "models" / "text_harm-1" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(SnapshotError, match="is not what its card says"):
        export_model(database, registry, _wanted(out))

    assert not out.exists()
    assert list(Audit(database).rows()) == []


def test_an_old_card_binds_by_its_counts(database: Database, tmp_path: Path) -> None:
    """Cards from before teachers were noted are read, and what they say of terms holds."""
    card = replace(
        _version(database, tmp_path).card,
        terms={"gemini-2025-05-20": 3, "own": 2},
        sources={"g": 5},
    )
    told = msgspec.json.decode(msgspec.json.encode(card))
    for name in ("teachers", "data", "labels"):
        del told[name]
    old = msgspec.json.decode(msgspec.json.encode(told), type=ModelCard)

    assert teachers_on(old) == (
        Teacher(source="g", terms="gemini-2025-05-20", labels=3),
        Teacher(source="g", terms="own", labels=2),
    )
    assert "Gemini API Additional Terms of Service, Use Restrictions" in card_in_words(old)
