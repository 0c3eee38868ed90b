"""Encoders that judge: heads on their vectors, and the whole of one, taught and served here."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.models.models_students import make_encoder, workplace
from tests.models.models_vendor import inputs_of

from inhouse.core.errors import SnapshotError
from inhouse.core.random import stream
from inhouse.models.asking.fleet import Fleet
from inhouse.models.harvest.labels import Labels
from inhouse.models.owned.encoder import Encoder, EncoderClassifier, of_length_one
from inhouse.models.owned.head import Head, fit_head
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.parity.gate import Parity
from inhouse.models.students.course import Course
from inhouse.models.students.judging import train_encoder
from inhouse.models.students.workplace import Base
from inhouse.models.types import Label, Route, Task
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database

TOPIC = Task(name="topic", kind="labels", categories=("sport", "music", "cats"), instructions="")
SPORT = "the goal of the match"
SONG = "the chorus of a song"
_LETTERS = list("bdfgklmnoprstuvz")


def _label(number: int) -> Label:
    """A match, a song, or neither in turn, and words that are in no other text; nobody ever speaks
    of cats."""
    about, random = number % 3, stream(number, "words")
    made_up = ["".join(random.choice(_LETTERS, 6)) for _ in range(4)]
    return Label(
        task="topic",
        ref=f"r{number}",
        text=" ".join([(SPORT, SONG, "the")[about], "of", *made_up, *["a"] * (number % 4)]),
        scores={"sport": float(about == 0), "music": float(about == 1)},
        source="openai/openai/m",
        terms="t-2026",
        at_ms=number,
    )


@pytest.mark.parametrize("full", [False, True])
def test_an_encoder_learns_to_judge(any_database: Database, tmp_path: Path, full: bool) -> None:
    """By heads or as a whole, on both databases: the card tells what it began as and how good it
    is, the gate judges it as every model, and a route is answered by it like by any other."""
    Labels(any_database).add([_label(number) for number in range(400)])
    base = Base(name=str(make_encoder(tmp_path / "base")), terms="apache-2.0", full=full)
    place = workplace(any_database, tmp_path / "models")

    version = train_encoder(place, TOPIC, base, Course(rounds=4, rate=1e-3, patience=4))

    assert isinstance(version, ModelVersion)
    card = version.card
    assert (card.student, card.method) == ("encoder", "full" if full else "heads")
    assert (card.categories, card.trained_on) == (("sport", "music"), 280)
    assert (card.bound_by, card.metrics["sport"].auprc) == (("apache-2.0", "t-2026"), 1.0)
    assert {"head.safetensors", "model.safetensors", "config.json"} <= card.files.keys()
    assert version.parity is not None
    assert msgspec.json.decode(version.parity, type=Parity).verdict == "pass"
    fleet = Fleet([], place.registry, {"topic": TOPIC})
    route = Route(task="topic", stage="owned", primary=None, owned=version.version)

    async def asked() -> list[dict[str, float]]:
        provider = await fleet.provider("owned", route)
        assert provider is not None
        (found,) = await provider.answer(TOPIC, inputs_of(SPORT, SONG), 1_000)
        assert (found.outcome, found.scores is None) == ("ok", False)
        return [dict(one) for one in found.scores or ()]

    sport, song = asyncio.run(asked())
    assert min(sport["sport"], song["music"]) > 0.8
    assert max(sport["music"], song["sport"]) < 0.2
    if full:
        before = Encoder.load(base.name).vectors([SPORT])
        after = Encoder.load(str(place.registry.folder / version.version)).vectors([SPORT])
        assert not np.allclose(before, after, atol=1e-4)


def test_too_few_labels_are_an_answer(database: Database, tmp_path: Path) -> None:
    """So are labels of one side."""
    base = Base(name=str(make_encoder(tmp_path / "base")), terms="mit")
    place = workplace(database, tmp_path / "models")
    Labels(database).add([_label(number) for number in range(2, 899, 3)])

    few = train_encoder(place, TOPIC, base)
    Labels(database).add([_label(899)])
    one_sided = train_encoder(place, TOPIC, base)

    assert few == NotEnough(reason="too few labelled texts", have=299, need=300)
    assert one_sided == NotEnough(
        reason="no category has enough texts on both sides", have=0, need=5
    )
    assert place.registry.versions("topic") == []


def test_a_file_that_was_touched_is_not_loaded(database: Database, tmp_path: Path) -> None:
    """Weights, tokenizer or head: the card knows each of them; and who writes does not judge."""
    Labels(database).add([_label(number) for number in range(300)])
    base = Base(name=str(make_encoder(tmp_path / "base")), terms="mit")
    place = workplace(database, tmp_path / "models")
    version = train_encoder(place, TOPIC, base)
    assert isinstance(version, ModelVersion)
    assert isinstance(place.registry.load(version.version), EncoderClassifier)
    path = place.registry.folder / version.version / "tokenizer.json"
    path.write_text(path.read_text() + " ")

    with pytest.raises(SnapshotError, match=r"tokenizer.json has the checksum \w+, its card says"):
        place.registry.load(version.version)


def test_vectors_do_not_depend_on_their_company(tmp_path: Path) -> None:
    """A text has one vector, alone or beside longer ones, and a long text is read as far as it
    goes."""
    encoder = Encoder.load(str(make_encoder(tmp_path / "base")))
    texts = [SPORT, "a", " ".join(["song"] * 40), ""]

    together = encoder.vectors(texts)

    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(encoder.vectors([text])[0], vector, atol=1e-5)
    assert np.allclose(together[2], encoder.vectors([" ".join(["song"] * 14)])[0], atol=1e-5)
    assert encoder.count_tokens(texts) == 7 + 3 + 16 + 2
    assert np.allclose(np.linalg.norm(of_length_one(together), axis=1), 1.0)


def test_a_head_finds_what_decides() -> None:
    """On vectors whose first column decides, it ranks all but perfectly; a category with too few
    labels and what nobody knows of a text are left out; a constant column is no trouble."""
    random = np.random.default_rng(1)
    vectors = random.standard_normal((300, 8)).astype(np.float32)
    vectors[:, 7] = 3.0
    yes = vectors[:, 0] > 0.3
    targets = np.stack([yes.astype(float), np.full(300, np.nan), (yes & (vectors[:, 1] > 9))], 1)
    targets[:50, 0] = np.nan

    head = fit_head(vectors, targets, ("first", "unknown", "never"), seed=1)

    assert isinstance(head, Head)
    assert head.categories == ("first",)
    p = head.probabilities(vectors[:50])[:, 0]
    assert ((p > 0.5) == yes[:50]).mean() > 0.95
    assert fit_head(vectors, targets[:, 1:], ("unknown", "never"), seed=1) == NotEnough(
        reason="no category has enough texts on both sides", have=0, need=5
    )


def test_a_model_that_writes_judges_nothing(database: Database, tmp_path: Path) -> None:
    """A route that names one is told so, and goes on without it."""
    place = workplace(database, tmp_path / "models")
    Labels(database).add([_label(number) for number in range(300)])
    base = Base(name=str(make_encoder(tmp_path / "base")), terms="mit")
    version = train_encoder(place, TOPIC, base)
    assert isinstance(version, ModelVersion)
    path = place.registry.folder / version.version / "card.json"
    writes = replace(version.card, student="causal")
    path.write_bytes(msgspec.json.encode(writes))

    with pytest.raises(SnapshotError, match="judges none; call it by name"):
        place.registry.load(version.version)
