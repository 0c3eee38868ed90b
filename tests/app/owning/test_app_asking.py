"""Asking people about what the owned model is least sure of."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.models.models_texts import posts, register, small_model
from typer.testing import CliRunner

from inhouse.app.build import Services, open_services
from inhouse.app.owning import asking
from inhouse.app.owning.asking import Asked, ask_people
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import ConflictError, InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.models.harvest.labels import Labels
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Evidence, PersonCall, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Sixty judged posts, three that say nothing, and no model yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    texts = [*posts(60, seed=5)[0], "", " ", "\n"]
    with open_services() as opened:
        put(opened, {f"p{place}": text for place, text in enumerate(texts)})
        yield opened


def put(services: Services, texts: dict[str, str], call: PersonCall | None = None) -> None:
    """Judged posts."""
    services.catalog.put_items(
        [
            Item(item_id=ItemId(item_id), creator_id=UserId(f"by-{item_id}"), text=text)
            for item_id, text in texts.items()
        ]
    )
    verdicts = [
        Verdict(
            item_id=ItemId(item_id),
            at_ms=services.clock.now_ms(),
            text_key="",
            evidence=Evidence(person=call),
            decided_by="",
            policy_version="p",
        )
        for item_id in texts
    ]
    services.database.write(lambda connection: append_verdicts(connection, verdicts))


def asked_about(services: Services) -> list[str]:
    """The posts whose cases wait in the queue."""
    waiting = services.review.queue(CaseFilter(queue="learning", state="open"), 1_000)
    assert {case.reason for case in waiting} <= {"learning the model wants to know"}
    return [case.item_id for case in waiting]


def test_the_posts_that_the_newest_model_is_unsure_of_become_cases(services: Services) -> None:
    """Those nearest the threshold, a fifth at random; asked again, others; posts without words,
    with a decision or with a case are never asked about."""
    model = small_model()
    register(services.registry, model, "v1")
    put(services, {"called": "cheap"}, PersonCall(action="allow", category=None, name="ada"))
    services.reports.file("p0", "u", "spam")
    texts = {f"p{place}": text for place, text in enumerate(posts(60, seed=5)[0]) if place}
    p = model.probabilities(list(texts.values()))
    nearest = np.argsort(np.abs(p - 0.5).min(axis=1), kind="stable")
    first = ask_people(services, TEXT_HARM, 10, 1)
    chosen = asked_about(services)
    again = ask_people(services, TEXT_HARM, 500, 1)
    assert first == Asked(version="v1", among=59, opened=10, waiting=10)
    assert len(set(chosen) & {list(texts)[place] for place in nearest[:12]}) >= 8
    assert again.among == 49
    assert again.waiting == 10 + again.opened == len(set(asked_about(services)))
    assert not {"p0", "p60", "p61", "p62", "called"} & set(asked_about(services))


def test_a_decision_on_such_a_case_is_a_label(services: Services) -> None:
    """The person's word on the text, as of any case."""
    register(services.registry, small_model(), "v1")
    ask_people(services, TEXT_HARM, 5, 1)
    case, *_ = services.review.queue(CaseFilter(queue="learning"))
    services.review.decide(case.case_id, "ada", "remove", "spam", None)
    (label,) = Labels(services.database).latest("text_harm", 10)
    assert (label.ref, label.scores, label.source) == (case.item_id, {"spam": 1.0}, "person:ada")


def test_the_queue_never_holds_more_than_it_may(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked for beyond the room is left out; a full queue says so."""
    monkeypatch.setattr(asking, "MOST_OPEN", 12)
    register(services.registry, small_model(), "v1")
    assert ask_people(services, TEXT_HARM, 8, 1).waiting == 8
    assert ask_people(services, TEXT_HARM, 8, 2).opened == 4
    with pytest.raises(ConflictError, match="12 cases wait in the queue learning, which holds 12"):
        ask_people(services, TEXT_HARM, 1, 3)


def test_without_a_model_or_with_an_impossible_number_nothing_is_asked(services: Services) -> None:
    """The answer says what to do first."""
    with pytest.raises(InputError, match="no model is trained for text_harm; train one with"):
        ask_people(services, TEXT_HARM, 5, 1)
    for texts in (0, 501):
        with pytest.raises(InputError, match=f"texts is {texts}, expected 1 to 500"):
            ask_people(services, TEXT_HARM, texts, 1)
    assert asked_about(services) == []


def test_a_community_whose_posts_have_no_words_asks_nothing(services: Services) -> None:
    """And that is no error."""
    register(services.registry, small_model(), "v1")
    texts = {f"p{place}": "" for place in range(63)}
    put(services, texts)
    told = ask_people(services, TEXT_HARM, 5, 1)
    assert told == Asked(version="v1", among=0, opened=0, waiting=0)


def test_asking_from_the_command_line(services: Services) -> None:
    """As a person types it, in words and as JSON."""
    register(services.registry, small_model(), "v1")
    words = ["models", "ask", "text_harm", "--texts", "5"]
    told = CliRunner().invoke(command_line(["models"]), words)
    read = CliRunner().invoke(command_line(["models"]), [*words, "--json"])
    assert told.exit_code == 0, told.output
    assert "5 of 60 posts asked about for v1; 5 wait in the queue" in told.output
    assert json.loads(read.output) == {"version": "v1", "among": 55, "opened": 5, "waiting": 10}
