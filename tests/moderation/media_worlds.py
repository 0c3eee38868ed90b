"""Pictures, videos and banks that tests make themselves."""

import io
from collections.abc import Sequence

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inhouse.moderation.media.pdq import PdqHash, luminance, pdq_of


def picture(seed: int, rows: int = 240, columns: int = 320) -> NDArray[np.uint8]:
    """Smooth coloured hills, rich enough for a hash of good quality."""
    dice = np.random.default_rng(seed)
    hills = np.full((rows, columns, 3), 128.0)
    for side in (4, 8, 16, 32):
        for colour in range(3):
            small = Image.fromarray((dice.normal(size=(side, side)) * 60).astype(np.float32))
            hills[..., colour] += np.asarray(
                small.resize((columns, rows), Image.Resampling.BICUBIC)
            )
    return np.clip(hills, 0, 255).astype(np.uint8)


def hash_of(pixels: NDArray[np.uint8]) -> PdqHash:
    """Of a picture in colours."""
    return pdq_of(luminance(pixels))


def file_of(pixels: NDArray[np.uint8], form: str = "PNG", **options: int) -> bytes:
    """The picture as a file."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, form, **options)
    return written.getvalue()


def clip_of(scenes: Sequence[NDArray[np.uint8]], form: str = "mp4", rate: int = 5) -> bytes:
    """A video that shows each picture for a second."""
    written = io.BytesIO()
    codec = "mpeg4" if form == "mp4" else "libvpx"
    with av.open(written, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = scenes[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for scene in scenes:
            for _ in range(rate):
                frame = av.VideoFrame.from_ndarray(scene, format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return written.getvalue()


def flipped(bits: bytes, count: int, seed: int = 0) -> bytes:
    """The hash with so many bits turned."""
    unpacked = np.unpackbits(np.frombuffer(bits, np.uint8))
    unpacked[np.random.default_rng(seed).choice(len(unpacked), count, replace=False)] ^= 1
    return np.packbits(unpacked).tobytes()
