"""A page that is kept up to date says so while it has nothing to show, and when it cannot."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest
from nicegui import Client, ui
from nicegui.page import page

from inhouse.console import frame
from inhouse.console.frame import Region, follow
from inhouse.console.gathering import Latest
from inhouse.console.markup import join
from inhouse.core.errors import StoreError


@contextlib.contextmanager
def _opened() -> Iterator[None]:
    """A page that somebody has open."""
    client = Client(page("/"), request=None)
    with client:
        yield
    client.delete()


def _told() -> list[str]:
    """What stands on the page, from top to bottom."""
    box = ui.context.client.content
    return [each.content for each in box.descendants() if isinstance(each, ui.html)]


def test_it_says_that_figures_are_coming_and_then_shows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On top, where whoever opens the page looks first; not once they are at hand."""
    monkeypatch.setattr(frame.ui, "timer", lambda every_s, refresh: None)
    latest = Latest(lambda: "seven", 1.0)
    for expected in ("Gathering the figures", "seven"):
        with _opened():
            shown = Region()
            follow(latest, lambda facts, shown=shown: shown.show(join([facts])), 1.0)
            remark, content = _told()
        assert expected in remark + content
        assert not (remark and content)
        latest.get()


def test_it_says_why_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on trying."""
    timers = []
    monkeypatch.setattr(frame.ui, "timer", lambda every_s, refresh: timers.append(refresh))

    async def at_once(work: Callable[[], object]) -> object:
        return work()

    monkeypatch.setattr(frame.run, "io_bound", at_once)
    answers: list[str | None] = [None, "seven"]

    def gather() -> str:
        answer = answers.pop(0)
        if answer is None:
            raise StoreError("the store does not answer")
        return answer

    async def look() -> tuple[list[str], list[str]]:
        with _opened():
            shown = Region()
            follow(Latest(gather, 0.0, lambda: 0.0), lambda facts: shown.show(join([facts])), 1.0)
            await timers[0]()
            before = _told()
            await timers[0]()
            return before, _told()

    before, after = asyncio.run(look())
    assert "the store does not answer; trying again" in before[0]
    assert after == ["", "seven"]
