"""The words of a comment and the way back to their places."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.api.perspective.attributes import ATTRIBUTES, score_of, taught_by
from inhouse.api.perspective.texts import MOST_SPANS, sentences, words_of

_HTMLISH = st.text(st.sampled_from("ab <>&/!-;#p1\n") | st.characters())


def test_html_is_read_as_it_is_seen() -> None:
    """Tags in a word leave it whole, blocks end a line, entities are letters, scripts unseen."""
    html = (
        "<p>You <b>nin</b>com&shy;poop &amp; co</p><br/>a < b &copy; <!-- <b>no --> end"
        "<script>if (a<b) hate()</script><style>p{}</style>."
    )
    seen = words_of(html, is_html=True).text

    assert seen == "\nYou nincom\xadpoop & co\n\na < b ©  end."


def test_a_span_of_words_points_into_what_was_sent() -> None:
    """From the first letter to behind the last one, with the tags between them."""
    html = "So: <i>nin</i>com<b>poop</b> &amp;c"
    words = words_of(html, is_html=True)
    start = words.text.index("nincompoop")
    begin, end = words.span(start, start + len("nincompoop"))

    assert html[begin:end] == "nin</i>com<b>poop"
    assert html[slice(*words.span(words.text.index("&"), len(words.text)))] == "&amp;c"


@given(_HTMLISH)
def test_places_never_fall_and_lie_inside(text: str) -> None:
    """Whatever is sent as HTML, each character seen has a place, in the order of what was sent."""
    words = words_of(text, is_html=True)

    assert len(words.starts) == len(words.ends) == len(words.text)
    assert words.starts == sorted(words.starts)
    assert words.ends == sorted(words.ends)
    assert all(0 <= s < e <= len(text) for s, e in zip(words.starts, words.ends, strict=True))


@given(st.text())
def test_plain_text_is_itself(text: str) -> None:
    """No character is taken out, and each is at its own place."""
    words = words_of(text, is_html=False)

    assert words.text == text
    assert [words.span(i, i + 1) for i in range(len(text))] == [
        (i, i + 1) for i in range(len(text))
    ]


@given(st.text(st.sampled_from("ab.! \n。") | st.characters()))
def test_sentences_hold_every_letter_once(text: str) -> None:
    """In order, apart, without spaces at their ends; what lies between them is space."""
    spans = sentences(text)
    between = "".join(
        text[end:start]
        for (_, end), (start, _) in zip([(0, 0), *spans], [*spans, (len(text),) * 2], strict=True)
    )

    assert spans == sorted(spans)
    assert not between.strip()
    assert all(text[s:e] == text[s:e].strip() != "" for s, e in spans)


def test_a_comment_of_many_sentences_is_cut_into_a_bounded_number() -> None:
    """The last span holds what is left."""
    spans = sentences("No! " * 5_000)

    assert len(spans) == MOST_SPANS
    assert spans[-1] == (4 * (MOST_SPANS - 1), 4 * 5_000 - 1)


def test_an_attribute_is_the_highest_of_what_is_known() -> None:
    """An experimental name is the same; where nobody spoke there is no number."""
    p = {"harassment": 0.25, "violence": 0.5}

    assert {name: score_of(name, p) for name in ATTRIBUTES if score_of(name, p) is not None} == {
        "TOXICITY": 0.5, "SEVERE_TOXICITY": 0.5, "INSULT": 0.25, "THREAT": 0.5,
    }  # fmt: skip
    assert score_of("THREAT_EXPERIMENTAL", p) == 0.5


def test_a_suggestion_teaches_what_it_says_and_no_more() -> None:
    """A low score clears all it stands for, a high one names one; the narrower one counts."""
    assert taught_by({"TOXICITY": 0.0}) == dict.fromkeys(("harassment", "hate", "violence"), 0.0)
    assert taught_by({"TOXICITY": 1.0}) == {"harassment": 1.0}
    assert taught_by({"SEVERE_TOXICITY": 1.0}) == {}
    assert taught_by({"IDENTITY_ATTACK": 1.0, "TOXICITY": 0.0, "PROFANITY": 1.0}) == {
        "harassment": 0.0, "hate": 1.0, "violence": 0.0,
    }  # fmt: skip
