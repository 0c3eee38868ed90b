"""Redaction: personal data and secrets go, the rest stays letter for letter."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.moderation.signals.redact import redact

# Put together here, so that nobody's scanner takes a test for a leak.
_LONG = "Ab3" * 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail ann@example.com now", "mail [email] now"),
        ("call +49 170 1234567.", "call [phone]."),
        ("pay 4111 1111 1111 1111 today", "pay [card] today"),
        ("Ａnn ＠home: ann［at］example。com", None),
        (f"key sk-{_LONG} end", "key [secret] end"),
        (f"key sk-ant-{_LONG}!", "key [secret]!"),
        (f"ours inh_{_LONG}", "ours [secret]"),
        (f"AKIA{'A' * 16}", "[secret]"),
        (f"gh{'p_'}{_LONG}", "[secret]"),
        (f"xox{'b-'}1234567890-{_LONG}", "[secret]"),
        (f"eyJ{_LONG}.{_LONG}.{_LONG}", "[secret]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[secret]"),
        ("postgres://bo:pa55word@db/x", "postgres://bo:[secret]@db/x"),
        ("password: hunter22", "password: [secret]"),
        ("PASSWORD IS hunter22", "PASSWORD IS [secret]"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer [secret]"),
        ("the secret of good bread is patience", "the secret of good bread is patience"),
        ("a passworded door, 12.5.2024, 1,234,567 likes", None),
        ("שלום עולם 🙂 مرحبا", None),
        ("", ""),
    ],
)
def test_what_goes_and_what_stays(text: str, expected: str | None) -> None:
    """Each kind is named where it stood; None: nothing is taken out."""
    assert redact(text) == (text if expected is None else expected)


def test_a_secret_within_an_address_goes_whole() -> None:
    """Where finds lie over one another no part of either is left."""
    left = redact("https://ann:geheim99@example.com and token ann@example.com")
    assert "geheim99" not in left
    assert "ann@example.com" not in left


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """Whatever it is, once redacted it is redacted: a second time changes nothing."""
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece", ["eyJ", "://a:", "password ", "-----BEGIN PRIVATE KEY-----", "sk-", "1 ", "a@", "é@"]
)
def test_no_text_keeps_one_busy(piece: str) -> None:
    """Shapes that begin and never end take time in proportion: 100,000 characters under a second
    or so, where squares would take minutes."""
    started = time.process_time()
    redact(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 5.0
