"""What moderation is given: rules from files, and the gateway as a scorer."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from inhouse.catalog.types import post_text
from inhouse.core.errors import SettingError, VendorError
from inhouse.models.asking.gateway import Gateway
from inhouse.models.types import Answer, Manner, Task, TaskInput, UnansweredError
from inhouse.moderation.judging.scorer import GatewayScorer
from inhouse.moderation.ports import Scores
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.tools import load_rules
from inhouse.moderation.types import Hit, place


def test_empty_settings_take_the_rules_in_the_package() -> None:
    """A new community is moderated from the first post."""
    rules = load_rules(ModerationSettings())
    assert rules.policy.name == "default"
    assert dict(rules.reader.read("buy followers").signals) == {"terms.spam": 1}


def test_a_community_brings_its_own_rules(tmp_path: Path) -> None:
    """A policy file and a folder of banks replace those in the package."""
    (tmp_path / "policy.yaml").write_text(
        "policy: ours\ncategories: {rude: rude words}\nrules:\n"
        "  - {rule: rude, category: rude, when: {terms.rude: 1}, actions: warn}\n"
    )
    banks = tmp_path / "banks"
    banks.mkdir()
    (banks / "rude.txt").write_text("category: rude\nfiddlesticks\n")
    (banks / "more.csv").write_text("term,category\npoppycock,rude\n")
    (banks / "notes.md").write_text("not a bank")
    settings = ModerationSettings(policy=str(tmp_path / "policy.yaml"), banks=str(banks))
    rules = load_rules(settings)
    assert rules.policy.name == "ours"
    assert dict(rules.reader.read("fiddlesticks and poppycock").signals) == {"terms.rude": 2}


def test_a_folder_without_banks_is_an_error(tmp_path: Path) -> None:
    """A wrong path is told, not taken for an empty list."""
    with pytest.raises(SettingError, match=r"no term banks in .*; put \.txt or \.csv files there"):
        load_rules(ModerationSettings(banks=str(tmp_path)))


@pytest.mark.parametrize(
    ("title", "text", "marked", "expected"),
    [
        ("Zorgle blat", "here", "Zorgle", ("title", 0, 6)),
        ("Title", "a zorgle", "zorgle", ("text", 2, 8)),
        ("", "a zorgle", "zorgle", ("text", 2, 8)),
        ("a zorgle", "", "zorgle", ("title", 2, 8)),
        ("My zorgle", "blat", "zorgle\n\nblat", ("title", 3, 9)),
    ],
)
def test_a_hit_is_placed_in_the_title_or_the_text(
    title: str, text: str, marked: str, expected: tuple[str, int, int]
) -> None:
    """Spans point into both fields together; a page that shows them apart asks where."""
    whole = post_text(title, text)
    start = whole.index(marked)
    hit = Hit(signal="terms.spam", start=start, end=start + len(marked), detail="")
    assert place(title, text, hit) == expected


class FakeGateway:
    """Answers texts with a figure; `none` gets no answer."""

    async def ask(self, task: Task, inputs: Sequence[TaskInput], manner: Manner) -> list[Answer]:
        answered = [_answer(given) for given in inputs if given.text != "none"]
        missing = [given.ref for given in inputs if given.text == "none"]
        if missing:
            raise UnansweredError("nobody answered", answered=answered, missing=missing)
        return answered


def _answer(given: TaskInput) -> Answer:
    return Answer(
        ref=given.ref,
        scores={"hate": float(given.text)},
        model="gpt-x",
        host="azure",
        owner="openai",
        simulated=False,
        cost_usd=None,
        call_id="call_1",
        latency_ms=1.0,
    )


def ask(*texts: str) -> list[Scores | None]:
    scorer = GatewayScorer(cast("Gateway", FakeGateway()))
    return asyncio.run(scorer.score(texts, [f"i{n}" for n in range(len(texts))]))


def test_the_gateways_answers_become_scores_with_the_models_name() -> None:
    """Host and model name the source; a text without an answer is None among answered ones."""
    assert ask("0.5", "none") == [Scores(p={"hate": 0.5}, model_version="azure/gpt-x"), None]


def test_when_nobody_answers_the_scorer_fails_as_a_vendor() -> None:
    """No answer at all is an error, not a list of nothing."""
    with pytest.raises(VendorError, match="nobody answered"):
        ask("none", "none")
