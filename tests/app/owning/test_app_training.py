"""What a training is shown besides the labels."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.app.owning.test_app_asking import put

from inhouse.app.build import Services, open_services
from inhouse.app.owning import training
from inhouse.app.owning.posts import latest_posts
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.types import PersonCall


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Two judged posts, one of which says nothing, and one on which a person decided."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    with open_services() as opened:
        put(opened, {"a": "a walk", "b": " "})
        put(opened, {"c": "a river"}, PersonCall(action="allow", category=None, name="ann"))
        yield opened


def test_what_judges_posts_is_shown_those_judged_last(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All with words, whoever decided on them; other tasks hear nothing of posts."""
    shown: list[Any] = []
    monkeypatch.setattr(training, "train_task", lambda *told: shown.append(told[-1]))
    training.train_here(services, TEXT_HARM, services.settings.models)
    training.train_here(services, replace(TEXT_HARM, name="images"), services.settings.models)
    assert [sorted(texts) for texts in shown] == [["a river", "a walk"], []]
    assert latest_posts(services, undecided=True) == {"a": "a walk"}
