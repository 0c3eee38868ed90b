"""Files of strangers: what they show, or a clear word that they cannot be read."""

import io
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_worlds import clip_of, file_of, hash_of, picture
from PIL import Image

from inhouse.moderation.media.decode import ReadLimits, hash_file
from inhouse.moderation.media.decoder import DecodeLimits, Decoder
from inhouse.moderation.media.pdq import distance
from inhouse.moderation.media.types import MediaHashes, Unread

LIMITS = ReadLimits()
UNKNOWN = Unread(reason="neither a picture nor a video of a known form", again=False)
CLIP = clip_of([picture(seed, 96, 128) for seed in range(3)])
SMALL = file_of(picture(5, 60, 80))


def places(data: bytes, limits: ReadLimits = LIMITS) -> list[int]:
    found = hash_file(data, limits)
    assert isinstance(found, MediaHashes)
    return [frame.place for frame in found.frames]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"])
def test_a_large_picture_of_any_form_looks_as_it_does_untouched(form: str) -> None:
    """Made smaller on the way it stays within 10 bits, GIF with its few colours within 20."""
    pixels = picture(3, 1_100, 1_500)
    found = hash_file(file_of(pixels, form), LIMITS)

    assert isinstance(found, MediaHashes)
    assert (found.kind, [frame.place for frame in found.frames]) == ("picture", [0])
    apart = distance(found.frames[0].pdq, hash_of(pixels).bits)
    assert apart <= (20 if form == "GIF" else 10)


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_a_video_is_looked_at_once_a_second(form: str) -> None:
    """Each second's frame is the one that was shown then."""
    scenes = [picture(seed) for seed in range(4)]
    found = hash_file(clip_of(scenes, form), LIMITS)

    assert isinstance(found, MediaHashes)
    assert (found.kind, [frame.place for frame in found.frames]) == ("video", [0, 1, 2, 3])
    for frame, scene in zip(found.frames, scenes, strict=True):
        assert distance(frame.pdq, hash_of(scene).bits) <= 10


def test_a_long_video_is_looked_at_over_its_whole_length() -> None:
    """No more often than the limit, and not only at its beginning."""
    found = places(CLIP, ReadLimits(most_frames=2))

    assert found[0] == 0
    assert len(found) <= 2


def test_an_animation_is_looked_at_once_a_second_and_at_its_end() -> None:
    """What it hides behind its first picture is seen."""
    pictures = [Image.fromarray(picture(seed, 60, 80)) for seed in range(6)]
    written = io.BytesIO()
    pictures[0].save(written, "GIF", save_all=True, append_images=pictures[1:], duration=400)

    assert places(written.getvalue()) == [0, 1, 2]
    assert places(written.getvalue(), ReadLimits(most_frames=2)) == [0, 1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"#EXTM3U\nhttp://a/b",
    ],
)
def test_what_is_no_picture_is_not_opened(data: bytes) -> None:
    """Documents, drawings that name other files, and lists of addresses among it."""
    assert hash_file(data, LIMITS) == UNKNOWN


def test_a_picture_larger_than_it_looks_is_left_alone() -> None:
    """Thirty bytes of header may promise more pixels than fit into memory."""
    bomb = file_of(np.zeros((2_000, 2_000, 3), np.uint8))

    assert hash_file(bomb, ReadLimits(most_pixels=3_999_999)) == Unread(
        reason="not readable: ValueError", again=False
    )


@given(st.sampled_from([SMALL, CLIP]), st.data())
@settings(max_examples=60, deadline=None)
def test_a_torn_or_altered_file_is_an_outcome(whole: bytes, data: st.DataObject) -> None:
    """Cut anywhere, with bytes changed anywhere: hashes, or why there are none."""
    end = data.draw(st.integers(16, len(whole)))
    torn = bytearray(whole[:end])
    for place in data.draw(st.lists(st.integers(12, end - 1), max_size=8)):
        torn[place] ^= 0x5A
    found = hash_file(bytes(torn), LIMITS)

    assert isinstance(found, MediaHashes) or not found.again


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder(DecodeLimits(most_pixels=10_000_000, most_frames=5, most_ms=20_000))
    yield made
    made.close()


def test_another_process_reads_as_this_one_would(decoder: Decoder) -> None:
    """Pictures, videos, and what is neither, one after the other."""
    for data in (SMALL, CLIP, b"hello"):
        assert decoder.hashes(data) == hash_file(data, ReadLimits(most_frames=5))


def test_a_process_that_dies_costs_its_file_and_no_other(decoder: Decoder) -> None:
    """A file that kills its reader is told of; the next one finds a new reader."""
    decoder.hashes(SMALL)
    assert decoder._process is not None
    os.kill(decoder._process.pid, signal.SIGKILL)
    decoder._process.wait()

    assert decoder.hashes(SMALL) == Unread(reason="the process that read it ended", again=True)
    assert isinstance(decoder.hashes(SMALL), MediaHashes)


def test_a_file_that_takes_too_long_is_given_up() -> None:
    """The reader is ended, and with it what held it up."""
    decoder = Decoder(DecodeLimits(most_pixels=100_000_000, most_frames=5, most_ms=1))
    slow = file_of(picture(1, 2_000, 2_000), "PNG")

    assert decoder.hashes(slow) == Unread(reason="not read within 1 ms", again=False)
    assert decoder._process is None


def test_a_reader_that_nobody_ends_ends_itself() -> None:
    """Whoever started it may have been killed while a file held it up."""
    decoder = Decoder(DecodeLimits(most_pixels=100_000_000, most_frames=5, most_ms=5))
    line = decoder._start()
    line.send_bytes(file_of(picture(1, 2_000, 2_000), "PNG"))
    assert decoder._process is not None

    assert decoder._process.wait(20) == -signal.SIGALRM
    decoder.close()


def test_the_reader_gets_no_secrets(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of vendors in the environment are not for a process that reads hostile files."""
    monkeypatch.setenv("INHOUSE_SECRET_KEY", "sk-secret")
    decoder.hashes(SMALL)
    assert decoder._process is not None
    with open(f"/proc/{decoder._process.pid}/environ", "rb") as handle:  # noqa: PTH123
        environment = handle.read()

    assert b"sk-secret" not in environment
    assert b"OMP_NUM_THREADS=1" in environment
