"""HTML from pieces: hostile text stays text."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.console.feed_page import page_html
from inhouse.console.markup import (
    Safe,
    empty,
    escaped,
    join,
    person_link,
    safe_url,
    table,
    tag,
    with_code,
    words,
)
from inhouse.console.moderation.marked import mark_spans, marked, reason_words
from inhouse.moderation.types import Hit

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "مرحبا \u202eturned\u202c",
    "👩‍🚀 and \u200b",
    "`${1}` {{ x }} </template>",
    "W" * 10_000,
)


class _Reader(HTMLParser):
    """What a browser would make of it: the tags and the text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def _plain(text: str) -> str:
    """Half a surrogate pair cannot be sent to a browser; it becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


@given(st.text())
def test_a_text_in_an_element_is_read_back_as_it_was(text: str) -> None:
    """Nothing in a text becomes an element, and nothing of it is lost."""
    found = _Reader(tag("p", text, title=text))
    assert (found.tags, found.text) == (["p"], _plain(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_make_no_elements(text: str) -> None:
    """Names, links and tables keep what strangers write as text."""
    source = join([words(text), person_link(text, text), table(("a",), [[text]], "l")])
    found = _Reader(source)
    allowed = ["bdi", "a", "bdi", "div", "table", "thead", "tr", "th", "tbody", "tr", "td"]
    assert found.tags == allowed
    assert found.text == f"{text}{text}a{text}"


def test_attributes_that_are_none_or_false_are_left_out() -> None:
    """A flag is written by its name alone."""
    written = tag("details", "x", open=True, class_=None, hidden=False, data_key="k")
    assert written == '<details open data-key="k">x</details>'


def test_plain_strings_are_escaped_between_safe_ones() -> None:
    """Joining does not make a string safe."""
    assert join([Safe("<b>"), "<i>", None], " & ") == "<b> &amp; &lt;i&gt;"
    assert escaped("\ud800") == "?"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://127.0.0.1:8700/a.png", True),
        ("https://pictures.example/a", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//elsewhere.example/a", False),
        ("http://[broken", False),
        ("", False),
        (None, False),
    ],
)
def test_only_pictures_over_http_are_shown(url: str | None, kept: bool) -> None:
    """An address that is none of a picture over HTTP is dropped."""
    assert safe_url(url) == (url if kept else None)


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70))))
def test_marking_changes_nothing_of_a_text(text: str, spans: list[tuple[int, int]]) -> None:
    """Whatever places are marked, overlapping or out of bounds, the whole text is still there."""
    found = _Reader(mark_spans(text, [(start, end, "why") for start, end in spans]))
    assert found.text == _plain(text)
    assert set(found.tags) <= {"mark"}


def test_a_mark_says_why_it_is_there() -> None:
    """A hit in the title and one in the body are marked where they are, with their reasons."""
    hits = (
        Hit(signal="terms.hate", start=4, end=8, detail="a<b", form="leet"),
        Hit(signal="links", start=13, end=17, detail="ex.am"),
    )
    title, text = marked("one b4d", "see this", hits)
    assert title == ('one <mark title="hate list: “a&lt;b”, letters replaced by digits">b4d</mark>')
    assert text == 'see <mark title="link: ex.am">this</mark>'


def test_reasons_of_overlapping_hits_are_told_together() -> None:
    """Two signals at one place make one mark."""
    assert mark_spans("abcdef", [(0, 4, "first"), (2, 6, "second")]) == (
        '<mark title="first; second">abcdef</mark>'
    )


def test_an_unknown_signal_is_named_as_it_is() -> None:
    """A signal that the page has no words for is still told."""
    assert reason_words(Hit(signal="new.signal", start=0, end=1, detail="d")) == "new.signal: d"


@given(st.text())
def test_nothing_breaks_out_of_the_feed_pages_configuration(name: str) -> None:
    """A person's name cannot end the script element that it stands in."""
    page = page_html({"people": [{"id": "p", "name": name}]})
    inner = page.partition('id="config">')[2].partition("</script>")[0]
    assert "<" not in inner
    assert page.count("<script") == page_html({"people": []}).count("<script")


def test_what_stands_between_backticks_is_code() -> None:
    """And is escaped like all else."""
    assert join(with_code("write `a < b` here")) == "write <code>a &lt; b</code> here"
    assert join(with_code("no code")) == "no code"
    assert "<code>mode: shadow</code>" in empty("Nothing", "Write `mode: shadow` in a rule.")
