"""What the benchmark `gateway` calls a stall: a wait that the vendor did not make."""

import asyncio
from collections.abc import Iterator

import pytest
from benchmarks.gateway_load import _BEGIN, _END, _PIECE, PAUSE_S, PIECES, Stream, _chunk, _Listener
from hypothesis import given
from hypothesis import strategies as st

WHOLE = _BEGIN + b"".join([_chunk(_PIECE)] * PIECES) + _chunk(_END) + b"0\r\n\r\n"


def _stream(gathered: int, first_s: float = 0.1, stall_s: float = 0.0) -> Stream:
    """As a way through hands it on that waits for so many words each time, and once for nothing."""
    words = []
    for count in range(gathered, PIECES + 1, gathered):
        at_s = first_s + count * PAUSE_S + (stall_s if count > PIECES // 2 else 0.0)
        words.append((at_s, count))
    return Stream(asked_s=0.0, words=words)


@pytest.mark.parametrize("gathered", [1, 5, 8, 20])
def test_gathering_words_is_no_stall(gathered: int) -> None:
    """Its pieces come more rarely than the vendor's and hold more: it is told how many, and that it
    takes its time before the first. A wait that no words came for is a stall, gathered or not."""
    fine = _stream(gathered)

    assert (fine.stalled, fine.at_once) == (False, gathered)
    assert not _stream(gathered, first_s=2.0).stalled
    assert _stream(gathered, stall_s=0.3).stalled
    assert not _stream(gathered, stall_s=0.1).stalled


def test_what_is_refused_or_loses_words_has_failed() -> None:
    """Which is no stall; some words at the end, or all."""
    whole = _stream(1)

    assert whole.whole
    assert not Stream(asked_s=0.0, words=whole.words[:-1]).whole
    assert not Stream(asked_s=0.0, words=[]).whole
    assert not Stream(asked_s=0.0, words=whole.words, status=500).whole
    assert whole.first_s == pytest.approx(0.1 + PAUSE_S)


class _Closed(asyncio.Transport):
    def write(self, data: object) -> None:
        """To nobody."""

    def close(self) -> None:
        """Nothing is open."""


def _cut(whole: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield whole[:size]
        whole = whole[size:]
    yield whole


@given(sizes=st.lists(st.integers(1, 400), max_size=30))
def test_words_are_counted_wherever_pieces_are_cut(sizes: list[int]) -> None:
    """Each once, in the middle of a word and of a chunk too."""

    async def listened() -> Stream:
        listener = _Listener(b"")
        listener.connection_made(_Closed())
        for piece in _cut(WHOLE, sizes):
            listener.data_received(piece)
        return await listener.done

    assert asyncio.run(listened()).words[-1][1] == PIECES
