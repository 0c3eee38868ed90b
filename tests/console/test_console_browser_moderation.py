"""Moderation's pages in a real browser: appeals by keys, a policy tried, banks, what is sealed."""

from collections.abc import Iterator
from pathlib import Path

import console_community
import console_moderation as world
import pytest
import sqlalchemy as sa
from console_browser import CHROMIUM, Server, Watched, serving

from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.store import tables

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy's file."""
    return world.policy_file(tmp_path_factory.mktemp("rules"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, rules: Path) -> Iterator[Server]:
    """Two appeals, banks, a sealed post."""
    folder = tmp_path_factory.mktemp("moderated")
    more = {"INHOUSE_MODERATION_POLICY": str(rules)}
    environment = {
        **more,
        "INHOUSE_STORE_FOLDER": str(folder / "data"),
        "INHOUSE_APP_CLOCK": "log",
    }
    services = Services(load_settings(environment, folder / "none.toml"))
    console_community.seed(services.database, people=60)
    services.catch_clock_up()
    services.rescan.adopt()
    world.appeal_decided_by(services, "ada")
    world.appeal_of_reporter(services, "moderator")
    world.thread(services)
    world.banks(services)
    services.sealed.seal("post-00", "ada")
    services.close()
    with serving(folder, **more) as running:
        yield running


def test_every_page_of_moderation_fits_its_screen(served: Server, watched: Watched) -> None:
    """At a desk and on a phone, and each is reached from the others."""
    page = watched.page
    expected = {
        "Many at once": "Which cases",
        "Appeals": "The objection",
        "Queues": "A new one, or a change",
        "Policy": "Try another policy on the past",
        "Banks": "war-footage",
        "Sealed": "What is to be done",
        "Figures": "Came in a day",
        "Desk": "This case",
    }
    page.goto(f"{served.console}/moderation")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        for place, words in expected.items():
            page.click(f".places >> text={place}")
            page.wait_for_selector(f"text={words}")
            page.wait_for_timeout(400)
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0, (place, width)


def test_a_reply_is_read_in_its_thread(served: Server, watched: Watched) -> None:
    """What it answers stands beside it; the rest unfolds, on a phone too, and nothing runs over."""
    page = watched.page
    page.goto(f"{served.console}/moderation")
    page.wait_for_selector("text=Its thread")
    top, long = page.get_by_text("a film."), page.locator(".thread details > summary")
    assert page.locator(".thread .here").inner_text() == "the post of this case"
    assert [top.first.is_visible(), page.get_by_text("Last.").is_visible()] == [False, True]
    page.click("text=3 posts further up")
    page.click("text=2 before it")
    page.click("text=3 after it")
    long.first.click()
    assert top.first.is_visible()
    assert page.get_by_text("2 more replies there.").is_visible()
    ink = "node => getComputedStyle(node).color"
    inks = [page.locator(where).first.evaluate(ink) for where in (".away", "li:not(.away)")]
    assert inks[0] != inks[1]
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(300)
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0, width


def test_appeals_are_answered_by_keys_and_never_by_who_decided(
    served: Server, watched: Watched
) -> None:
    """The first one is this reviewer's own decision and is refused; the next is granted."""
    page = watched.page
    page.goto(f"{served.console}/moderation/appeals")
    page.wait_for_selector(".objection:has-text('It was a <b>quote</b>')")
    page.keyboard.press("j")
    page.wait_for_selector(".objection:has-text('Look again, please.')")
    page.wait_for_selector("text=moderator made the decision that is appealed")
    page.keyboard.press("h")
    page.wait_for_selector(".actions .on:has-text('Uphold')")
    page.keyboard.type("It is within the rules.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".status:has-text('moderator made the decision that is appealed')")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.wait_for_selector(".objection:has-text('It was a <b>quote</b>')")
    page.keyboard.press("o")
    page.wait_for_selector("text=The post is shown again")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".status:has-text('the answer is empty')")
    page.keyboard.type("You are right, it is a quote.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".status:has-text('overturned')")
    page.wait_for_selector(".log:has-text('You are right, it is a quote.')")
    query = sa.select(tables.appeals.c.state, tables.appeals.c.decided_by)
    with served.database.read() as connection:
        states = {tuple(row) for row in connection.execute(query)}
    assert states == {("overturned", "moderator"), ("open", None)}


def test_a_policy_is_tried_and_a_rescan_stopped(
    served: Server, watched: Watched, rules: Path
) -> None:
    """Faults are shown with their lines, a file from this computer is read, the change is told; the
    re-scan that waits for a worker is stopped and begun again."""
    page = watched.page
    page.goto(f"{served.console}/moderation/policy")
    page.wait_for_selector("h3:text-is('links_watched')")
    page.fill("textarea", world.LAXER.replace("actions: review", "actions: reviwe"))
    page.click("button:has-text('Try it')")
    page.wait_for_selector(".faults:has-text('did you mean `review`?')")
    page.set_input_files("input[type=file]", str(rules.parent / "next.yaml"))
    page.wait_for_function("document.querySelector('textarea').value.includes('harassment: 0.9')")
    page.fill("input[type=number]", "3650")
    page.click("button:has-text('Try it')")
    page.wait_for_selector(".result .tile:has-text('Would change')")
    assert "harassment_possible" in page.inner_text(".result")
    page.wait_for_selector(".bars:has-text('running')")
    page.click("button:has-text('Stop it')")
    page.wait_for_selector(".bars:has-text('stopped')")
    page.click("button:has-text('Re-scan all posts')")
    page.wait_for_selector(".bars:has-text('running')")


def test_a_broken_file_is_told_of_and_the_mended_one_taken_up(
    served: Server, watched: Watched, rules: Path
) -> None:
    """Without a restart; the policy of before is the one in force meanwhile."""
    page = watched.page
    page.goto(f"{served.console}/moderation/policy")
    page.wait_for_selector("text=2 rules, 1 in shadow")
    rules.write_text(world.WATCHED.replace("category: hate", "category: hat") + "nonsense\n")
    page.wait_for_selector(".faults:has-text('policy.yaml')", timeout=9_000)
    page.wait_for_selector("text=2 rules, 1 in shadow")
    rules.write_text(world.WATCHED.replace("    mode: shadow\n", ""))
    page.wait_for_selector("dd:text-is('2 rules')", timeout=9_000)
    assert page.locator(".faults:visible").count() == 0


def test_a_bank_is_made_filled_tried_and_removed(served: Server, watched: Watched) -> None:
    """Wrong lines are named and none is added; the share is raised; one hash is disabled."""
    page = watched.page
    page.goto(f"{served.console}/moderation/banks")
    page.fill("input[aria-label='name']", "scams")
    page.click("button:has-text('Make it')")
    page.wait_for_selector(".status:has-text('scams is made')")
    page.click(".chips:has(b:text-is('scams')) >> text=Open")
    page.fill("textarea", f"{5:064x},seen twice\nnot a hash\n")
    page.click("button:text-is('Add')")
    page.wait_for_selector(".faults:has-text('line 2')")
    page.fill("textarea", f"{5:064x},seen twice\n")
    page.click("button:text-is('Add')")
    page.wait_for_selector("text=1 added, 0 were there.")
    page.click("button:text-is('50%')")
    page.click("button:has-text('Put into force')")
    page.wait_for_selector(".chips:has(b:text-is('scams')):has-text('50% count')")
    page.click("button:text-is('Disable')")
    page.wait_for_selector("button:text-is('Enable')")
    page.fill("input[aria-label='its name, to confirm']", "scam")
    page.click("button:has-text('Remove it with its hashes')")
    page.wait_for_selector(".status:has-text('That is not its name')")
    page.fill("input[aria-label='its name, to confirm']", "scams")
    page.click("button:has-text('Remove it with its hashes')")
    page.wait_for_selector(".status:has-text('scams is gone.')")
    with served.database.read() as connection:
        names = set(connection.execute(sa.select(tables.hash_banks.c.name)).scalars())
    assert names == {"war-footage", "our-own"}


def test_a_duty_is_put_on_record_and_a_post_sealed_by_its_id(
    served: Server, watched: Watched
) -> None:
    """The page shows ids and duties; typing an id twice seals it."""
    page = watched.page
    page.goto(f"{served.console}/moderation/sealed")
    page.click("button:has-text('It is reported')")
    page.click("button:has-text('Put on record')")
    page.wait_for_selector(".dialog .trouble:has-text('name to whom it was reported')")
    page.fill("input[aria-label='to whom, as NCMEC']", "NCMEC")
    page.fill("input[aria-label='under which number']", "CT-9")
    page.click("button:has-text('Put on record')")
    page.wait_for_selector("text=reported to NCMEC, CT-9")
    page.fill('input[aria-label="the post\'s id"]', "post-02")
    page.click("button:has-text('Seal it')")
    page.wait_for_selector(".status:has-text('twice')")
    page.fill("input[aria-label='the same again']", "post-02")
    page.click("button:has-text('Seal it')")
    page.wait_for_selector(".status:has-text('post-02 is sealed. Report it now.')")
    page.wait_for_selector("text=1 report to make")
    with served.database.read() as connection:
        sealed = set(connection.execute(sa.select(tables.sealed.c.item_id)).scalars())
    assert sealed == {"post-00", "post-02"}
