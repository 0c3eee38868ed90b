"""From the bytes of a file to the hashes of what it shows.

What a file is follows from its first bytes, whatever its name or its sender says of it, and only
forms on the list are opened. Libraries that decode what strangers send do crash now and then, so
this runs in a process of its own: see `decoder`.
"""

import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from inhouse.moderation.media.forms import FileKind, file_kind
from inhouse.moderation.media.pdq import luminance, pdq_of
from inhouse.moderation.media.types import Frame, MediaHashes, Unread

ENOUGH_SIDE: Final = 512  # pixels; what is twice as large or more is made smaller first
_PICTURES: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF")
_STILL_MS: Final = 1_000  # between frames of something that moves: at most one a second
_MOST_TURNS: Final = 2_000  # frames of an animated picture that are looked through


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLimits:
    """How much work a file may make."""

    most_pixels: int = 50_000_000  # of a picture, or of all frames of an animated one together
    most_frames: int = 30  # hashed of anything that moves


def hash_file(data: bytes, limits: ReadLimits) -> MediaHashes | Unread:
    """The hashes of a picture or a video, or why there are none."""
    kind = file_kind(data)
    if kind is None:
        return Unread(reason="neither a picture nor a video of a known form", again=False)
    try:
        looks = _picture(data, limits) if kind == "picture" else _video(data, kind, limits)
        frames = tuple(_frame(place, pixels) for place, pixels in looks)
    except Exception as error:  # noqa: BLE001 - hostile files make decoders raise whatever there is
        return Unread(reason=f"not readable: {type(error).__name__}", again=False)
    if not frames:
        return Unread(reason="nothing to see in it", again=False)
    return MediaHashes(
        kind="picture" if kind == "picture" else "video",
        md5=hashlib.md5(data, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(data).digest(),
        frames=frames,
    )


def _frame(place: int, pixels: NDArray[np.uint8]) -> Frame:
    found = pdq_of(luminance(pixels))
    return Frame(place=place, pdq=found.bits, quality=found.quality)


# -- pictures ------------------------------------------------------------------------------------


def _picture(data: bytes, limits: ReadLimits) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Number and colours of the picture, or of an animated one each second's."""
    with Image.open(io.BytesIO(data), formats=_PICTURES) as image:
        area = image.width * image.height
        if area > limits.most_pixels:
            raise ValueError("too many pixels")
        image.draft("RGB", (ENOUGH_SIDE, ENOUGH_SIDE))
        yield 0, _colours(image)
        turns = min(getattr(image, "n_frames", 1), limits.most_pixels // max(area, 1), _MOST_TURNS)
        shown_ms, place = int(image.info.get("duration", 0)), 1
        for turn in range(1, turns):
            if place == limits.most_frames:
                return
            image.seek(turn)
            if shown_ms >= place * _STILL_MS or turn == turns - 1:
                yield place, _colours(image)
                place += 1
            shown_ms += int(image.info.get("duration", 0))


def _colours(image: Image.Image) -> NDArray[np.uint8]:
    # Whole pixels are put together, which moves fewer bits of the hash than any resampling.
    return np.asarray(image.convert("RGB").reduce(max(1, max(image.size) // ENOUGH_SIDE)))


# -- videos --------------------------------------------------------------------------------------


def _video(
    data: bytes, kind: FileKind, limits: ReadLimits
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Second and colours of moments at least a second apart, over the whole length.

    The form is given, so that no library guesses one that would open other files or addresses.
    """
    with av.open(io.BytesIO(data), "r", format=kind, metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > limits.most_pixels:
            raise ValueError("too many pixels")
        length_s = _length_s(container.duration, stream)
        step_s = max(1.0, length_s / limits.most_frames)
        if step_s > 1.0:
            # Of a long video only the frames that stand alone are decoded.
            stream.codec_context.skip_frame = "NONKEY"
        due_s, count = 0.0, 0
        for frame in container.decode(stream):
            at_s = frame.time or 0.0
            if at_s < due_s:
                continue
            yield math.floor(at_s), _shrunk(frame)
            count, due_s = count + 1, at_s + step_s
            if count == limits.most_frames:
                return


def _length_s(duration: int | None, stream: VideoStream) -> float:
    if duration is not None:
        return duration / av.time_base
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return 0.0


def _shrunk(frame: VideoFrame) -> NDArray[np.uint8]:
    fold = max(1, max(frame.width, frame.height) // ENOUGH_SIDE)
    width, height = (max(1, side // fold) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return small.to_ndarray().astype(np.uint8, copy=False)
