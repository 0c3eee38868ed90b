"""The console in a real browser: every page, the keys, the feed; nothing leaves this machine."""

import json
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import console_community
import pytest
import sqlalchemy as sa
from console_browser import CHROMIUM, Server, Watched, serving
from PIL import Image

from inhouse.store import tables
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine"),
]


def test_every_page_opens_and_none_is_wider_than_the_screen(
    server: Server, watched: Watched
) -> None:
    """A click on each place in the navigation shows its page, at a desk and on a phone."""
    page = watched.page
    page.goto(server.console)
    expected = {
        "Overview": "Active today",
        "People": "Last here",
        "Moderation": "This case",
        "Bill": "From rented to owned",
    }
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        for place, words in expected.items():
            page.click(f"nav >> text={place}")
            page.wait_for_selector(f"text={words}")
            page.wait_for_timeout(300)
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0, place


def test_the_overview_draws_its_charts_and_keeps_them(server: Server, watched: Watched) -> None:
    """Charts are drawn once and are the same elements after the next look."""
    page = watched.page
    page.goto(server.console)
    page.wait_for_selector(".chart svg")
    page.wait_for_timeout(800)
    assert page.locator(".chart svg").count() == 4
    assert page.locator("text=learned: ").first.is_visible()
    page.evaluate("document.querySelector('.chart svg').marked = true")
    page.wait_for_timeout(4_500)
    assert page.evaluate("document.querySelector('.chart svg').marked") is True


def test_a_person_is_found_and_explained(server: Server, watched: Watched) -> None:
    """Search, open when the list is the answer, unfold why a post was shown."""
    page = watched.page
    page.goto(f"{server.console}/person")
    page.fill("input", "reader-000")
    playwright.expect(page.locator("a.person:visible")).to_have_count(1)
    page.click("a.person:visible")
    page.wait_for_selector("text=Last pages served")
    page.click(".placed >> nth=0")
    assert "It fits what you tend to want." in page.inner_text(".placed[open]")
    page.goto(f"{server.console}/person/nobody%2Fat%2Fall")
    page.wait_for_selector("text=Nothing is known of nobody/at/all")


def test_what_a_person_may_ask_for_is_done_in_their_name(server: Server, watched: Watched) -> None:
    """One button pauses and resumes; erased when their id is typed, and then nobody knows them."""
    page = watched.page
    page.goto(f"{server.console}/person/reader-029")
    page.click("button:has-text('Pause')")
    page.wait_for_selector("button:has-text('Resume')")
    page.click("button:has-text('Resume')")
    page.wait_for_selector("text=Personalisation is on again.")
    with page.expect_download() as waiting:
        page.click("button:has-text('Export')")
    exported = Path(waiting.value.path()).read_text("utf-8").splitlines()
    page.click("button:has-text('Erase')")
    page.click("button:has-text('Erase this person')")
    page.wait_for_selector("text=not their id")
    page.fill("input[aria-label='The id, to confirm']", "reader-029")
    page.click("button:has-text('Erase this person')")
    page.wait_for_selector("text=The receipt is erasure_")
    page.wait_for_selector("text=Nothing is known of reader-029")
    assert json.loads(exported[-1])["kind"] == "end"
    assert len(exported) > 3


def test_a_case_is_decided_and_taken_back_by_keyboard(server: Server, watched: Watched) -> None:
    """One key decides, the next case is there at once, `u` brings the first one back."""
    page = watched.page
    page.goto(f"{server.console}/moderation")
    page.wait_for_selector(".post")
    page.wait_for_timeout(700)
    first = page.inner_text(".post")
    page.keyboard.press("2")
    page.wait_for_selector(".categories .on:has-text('hate')")
    page.keyboard.press("r")
    page.wait_for_selector(".status:has-text('removed for hate')")
    assert page.inner_text(".post") != first
    page.keyboard.press("u")
    page.wait_for_selector(".status:has-text('Taken back')")
    assert page.inner_text(".post") == first
    page.wait_for_selector(".countdown:text-matches('^yours for 9:\\\\d\\\\d$')")
    page.keyboard.press("?")
    page.wait_for_selector("text=show it behind a warning")
    page.keyboard.press("a")  # decides nothing while the help is open
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    assert page.inner_text(".post") == first
    decisions = sa.select(tables.review_decisions.c.action).order_by(
        tables.review_decisions.c.log_offset
    )
    with server.database.read() as connection:
        assert list(connection.execute(decisions).scalars()) == ["remove", "undo"]


def test_a_cover_is_hidden_until_it_is_looked_at_on_purpose(
    server: Server, watched: Watched
) -> None:
    """Blurred and grey at rest, clear while a key is held, and asked for by the console alone."""
    page = watched.page
    asked: list[str] = []

    def picture(route: "playwright.Route") -> None:
        data = BytesIO()
        Image.new("RGB", (30, 40), (20, 120, 110)).save(data, "PNG")
        asked.append(urlsplit(route.request.url).path)
        route.fulfill(body=data.getvalue(), content_type="image/png")

    # The console asks no address of its own network, where the tests' pictures are.
    page.route("**/moderation/media/**", picture)
    page.goto(f"{server.console}/moderation")
    page.wait_for_selector(".post")
    page.click(".chips >> nth=0 >> .chip:has-text('spam')")
    page.wait_for_selector(".chips >> nth=0 >> .on:has-text('spam')")
    page.keyboard.press("s")  # the reported one has no cover, the next has
    page.wait_for_selector(".cover img")
    style = "getComputedStyle(document.querySelector('.cover img')).filter"
    assert page.evaluate(style) == "blur(22px) grayscale(1)"
    page.hover(".cover")
    page.wait_for_timeout(300)
    assert page.evaluate(style) == "blur(22px) grayscale(1)"
    page.keyboard.down("v")
    page.wait_for_timeout(300)
    assert page.evaluate(style) == "none"
    page.keyboard.up("v")
    page.wait_for_timeout(300)
    assert page.evaluate(style) == "blur(22px) grayscale(1)"
    assert asked == ["/moderation/media/post-07"]


def test_a_wave_is_decided_and_taken_back(server: Server, watched: Watched) -> None:
    """Look first, decide all, take all of it back; a queue is set up and the figures are drawn."""
    page = watched.page
    page.goto(f"{server.console}/moderation")
    page.click(".places >> text=Many at once")
    page.fill("[aria-label='words in the post']", "three tries")
    page.click("button:has-text('Look first')")
    page.wait_for_selector("text=2 cases would be removed")
    page.click("button:has-text('Decide all of them')")
    page.wait_for_selector(".status:has-text('2 of 2 decided')")
    page.click("button:has-text('Take back')")
    page.wait_for_selector(".status:has-text('taken back')")
    page.click(".places >> text=Queues")
    page.fill("[aria-label='name']", "Not a name")
    page.click("button:has-text('Set up')")
    page.wait_for_selector(".status:has-text('1 to 64 lower-case letters')")
    page.fill("[aria-label='name']", "german")
    page.fill("[aria-label='takes languages']", "de, de-AT")
    page.click("button:has-text('Set up')")
    page.wait_for_selector("text=german takes de, de-AT")
    page.click(".controls button:has-text('Remove')")
    page.wait_for_selector("text=None: a queue a category.")
    page.click(".places >> text=Figures")
    page.wait_for_selector(".chart svg")
    assert "Came in" in page.inner_text(".tiles")


def test_what_is_typed_is_kept_and_how_one_works_is_remembered(
    server: Server, watched: Watched
) -> None:
    """A note goes with its case and comes back with it; a case is looked for, sent on; pictures
    are shown as the reviewer chose."""
    page = watched.page
    page.goto(f"{server.console}/moderation")
    page.wait_for_selector(".post")
    page.wait_for_timeout(700)
    page.fill("[aria-label='Note']", "half a thought")
    page.click(".chips >> nth=0 >> .chip:has-text('hate')")
    page.wait_for_selector(".chips >> nth=0 >> .on:has-text('hate')")
    note = page.get_by_label("Note")
    playwright.expect(note).to_have_value("", timeout=30_000)
    page.click(".chips >> nth=0 >> .chip:has-text('all')")
    page.wait_for_selector(".chips >> nth=0 >> .on:has-text('all')")
    playwright.expect(note).to_have_value("half a thought", timeout=30_000)
    page.click("h1")
    page.keyboard.press("o")
    page.fill("[aria-label='or after hard cases (0: never)']", "7")
    page.click("button:has-text('Remember')")
    page.wait_for_selector(".status:has-text('Remembered.')")
    with server.database.read() as connection:
        (body,) = connection.execute(sa.select(tables.reviewers.c.body)).scalars()
    assert json.loads(body)["break_after_hard"] == 7
    page.keyboard.press("e")
    page.click("button:has-text('Send')")
    page.wait_for_selector(".dialog .trouble:has-text('choose a queue')")
    page.keyboard.press("Escape")


def test_the_theme_follows_the_system_and_can_be_chosen(
    server: Server, browser: "playwright.Browser"
) -> None:
    """Dark where the system is dark; a choice is remembered."""
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(server.console)
    page.wait_for_selector("body.body--dark")
    page.click(".theme")
    page.wait_for_selector("body.body--light")
    page.reload()
    page.wait_for_selector("body.body--light")
    context.close()


def test_the_feed_tells_the_log_what_a_person_does(server: Server, watched: Watched) -> None:
    """A visit, an impression, a like, a look of a length, a hide, a follow: all durable."""
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.console}/feed?user=reader-005")
    page.wait_for_selector("article")
    page.wait_for_timeout(900)
    page.keyboard.press("l")
    page.click("article >> nth=0 >> .follow")
    page.keyboard.press("j")
    page.wait_for_timeout(1_600)
    page.keyboard.press("h")
    page.wait_for_timeout(1_500)
    page.goto("about:blank")  # leaving sends what is open
    page.wait_for_timeout(800)
    assert [event.user_id for event in server.events("visit")] == ["reader-005"]
    liked = server.events("like")
    assert [(event.user_id, event.position) for event in liked] == [("reader-005", 0)]
    seen = {event.item_id for event in server.events("impression")}
    assert liked[0].item_id in seen
    looks = server.events("dwell")
    assert looks[0].item_id == liked[0].item_id
    assert all(500 <= event.value < 60_000 for event in looks)
    assert len(server.events("hide")) == 1
    assert [event.target[:8] for event in server.events("follow")] == ["creator:"]
    assert all(abs(event.at_ms - console_community.NOW_MS) < 3_600_000 for event in looks)


def test_the_feed_explains_mutes_and_reports(server: Server, watched: Watched) -> None:
    """The sheets open by key, close by Escape, and do what they say."""
    page = watched.page
    page.goto(f"{server.console}/feed?user=reader-006")
    page.wait_for_selector("article")
    page.wait_for_timeout(700)
    page.keyboard.press("w")
    page.wait_for_selector("#why .reasons li")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.click("#more >> text=Mute the topic")
    page.wait_for_selector(".toast:has-text('muted')")
    page.keyboard.press("m")
    page.click("#more >> text=Report this post")
    page.click("#more >> text=Spam or a scam")
    page.wait_for_selector(".toast:has-text('moderator')")
    page.wait_for_timeout(1_800)
    assert [event.target[:6] for event in server.events("mute")] == ["topic:"]
    query = sa.select(tables.reports.c.category).where(tables.reports.c.reporter_id == "reader-006")
    with server.database.read() as connection:
        assert list(connection.execute(query).scalars()) == ["spam"]


def test_only_a_card_that_was_looked_at_is_an_impression(server: Server, watched: Watched) -> None:
    """A card that is scrolled past within half a second was not seen."""
    page = watched.page
    page.goto(f"{server.console}/feed?user=reader-008")
    page.wait_for_selector("article")
    page.wait_for_timeout(800)
    for card in (1, 2):
        page.evaluate(f"feed.scrollTo({{top: feed.children[{card}].offsetTop, behavior: 'auto'}})")
        page.wait_for_timeout(150 if card == 1 else 900)
    page.goto("about:blank")
    page.wait_for_timeout(600)
    seen = [event for event in server.events("impression") if event.user_id == "reader-008"]
    assert [event.position for event in seen] == [0, 2]


def test_a_batch_whose_answer_is_lost_is_sent_again_and_counts_once(
    server: Server, browser: "playwright.Browser"
) -> None:
    """The API stored the batch, the answer broke: the page repeats it, the log has it once."""
    page = browser.new_page()
    sent: list[str] = []

    def lose_the_first_answer(route: "playwright.Route") -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.post_data or "")
        answer = route.fetch()
        route.fulfill(status=503 if len(sent) == 1 else answer.status, body=answer.text())

    page.route(f"{server.api}/v1/events", lose_the_first_answer)
    page.goto(f"{server.console}/feed?user=reader-009")
    page.wait_for_selector("article")
    page.wait_for_timeout(6_000)
    page.close()
    assert len(sent) >= 2
    visits = [event for event in server.events("visit") if event.user_id == "reader-009"]
    assert len(visits) == 1
    assert visits[0].event_id in sent[0]
    assert visits[0].event_id in sent[1]


def test_every_surface_answers_and_another_person_can_be_chosen(
    server: Server, watched: Watched
) -> None:
    """Following is empty with a word for a newcomer; the picker finds people by name."""
    page = watched.page
    page.goto(f"{server.console}/feed?user=newcomer")
    page.wait_for_selector("article")
    for surface in ("Latest", "Trending", "Following"):
        page.click(f"text={surface}")
        page.wait_for_selector("article, .notice")
    assert "Nothing to show here yet" in page.inner_text(".notice")
    page.click(".who")
    page.fill("#people input", "Mara")
    page.click("#people .choice:has-text('Mara Lind')")
    page.wait_for_selector(".who[title='Mara Lind']")
    page.click("text=For you")
    page.wait_for_selector("article")


def test_nothing_a_stranger_wrote_runs(server: Server, watched: Watched) -> None:
    """Hostile posts pass through the desk and stay text."""
    page = watched.page
    page.goto(f"{server.console}/moderation")
    page.wait_for_selector(".post")
    shown = []
    for _ in range(5):
        page.wait_for_timeout(700)
        shown.append(page.inner_text(".desk-main"))
        page.keyboard.press("s")
    assert any("<script>window.hacked" in text for text in shown)
    assert page.evaluate("window.hacked") is None


def test_logs_are_quiet(server: Server) -> None:
    """After all of this no role has logged an error or a warning."""
    for role in ("console", "api"):
        text = (server.logs / f"{role}.log").read_text()
        assert [line for line in text.splitlines() if '"level": "info"' not in line] == []


def test_a_password_keeps_the_pages_and_their_sockets(
    tmp_path: Path, browser: "playwright.Browser"
) -> None:
    """With a password the page of the first of the staff is all there is; behind it the pages
    live."""
    database = open_database(StoreSettings(folder=str(tmp_path / "data")))
    migrate(database)
    database.close()
    with serving(tmp_path, password="a long secret") as running:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{running.console}/bill")
        for given, then in (("wrong", "That is not the password"), ("a long secret", "Ada")):
            page.fill("#console", given)
            page.fill("#name", "Ada")
            page.fill("#new", "four words nobody says")
            page.fill("#again", "four words nobody says")
            page.click("button:has-text('Begin')")
            page.wait_for_selector(f"text={then}")
        for path, words in (
            ("/", "Nobody has come by yet"),
            ("/person", "Nobody has done anything yet"),
            ("/moderation", "Nothing waits for a person"),
            ("/bill/dependence?cpu=0.2", "No forecast yet"),
        ):
            page.goto(running.console + path)
            page.wait_for_selector(f"text={words}")
        context.close()
