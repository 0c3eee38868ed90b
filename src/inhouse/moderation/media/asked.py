"""Pictures of calls, which belong to no post: held against the banks of hashes, and not kept.

A call waits for its pictures, so that there is a bound on everything: on pictures a call, on those
that wait, on those in hand with their bytes, on the time of each. Where one cannot be looked at the
call is refused, as in the format that it came in: what was not looked at is not passed over.
"""

import asyncio
import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

from inhouse.core.errors import BusyError, PictureError
from inhouse.core.logs import logger
from inhouse.moderation.media.addresses import MOST_URL_CHARS, fault_of
from inhouse.moderation.media.forms import file_kind
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.types import MediaHashes, Unread
from inhouse.moderation.ports import PictureScorer
from inhouse.moderation.sealing.sealed_calls import Sighting
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.types import Label

MOST_BYTES: Final = 20_000_000  # of a picture of a call
MOST_WAITING: Final = 64  # pictures of a community in a process, those in hand included
_AT_ONCE: Final = 4  # in hand, each with its bytes
_IMAGE: Final = "data:image/"
_MOST_HEAD_CHARS: Final = 200
_BASE64: Final = ";base64"
_FORMS: Final = "JPEG, PNG, GIF, WebP, BMP or AVIF"
_LOG = logger("media")

# Why a picture cannot be looked at, in the words of OpenAI's errors.
Code = Literal[
    "invalid_base64_image",
    "invalid_image_url",
    "empty_image_file",
    "image_file_too_large",
    "unsupported_image_media_type",
    "image_parse_error",
    "failed_to_download_image",
    "invalid_image",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedPicture:
    """One picture of a call."""

    url: str  # an address, or the picture itself as `data:image/…;base64,…`
    where: str  # of the call it stands, for errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """What is sealed with a picture that a bank knows as sexual abuse of children."""

    key_id: str  # whose call it is
    text: str  # the words beside the picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is known of a call's pictures, all together."""

    p: Mapping[str, float]  # of each category that a bank or a model looked for, the highest
    model: str | None = None  # who scored them; None where no model did
    sealed: bool = False  # whether one is sealed: nobody else may be asked about this call


NOT_LOOKED_AT: Final = Seen(p={})


class PictureFiles(Protocol):
    """Gets and reads files. Called from several threads."""

    def fetch(self, url: str) -> bytes | Unread:
        """What it names, or why that was not got."""

    def hashes(self, data: bytes) -> MediaHashes | Unread:
        """Of a file, or why there are none."""

    def close(self) -> None:
        """Let go of what it holds."""


class PictureJudge:
    """Looks at pictures of calls for one community."""

    def __init__(
        self,
        files: PictureFiles,
        known: KnownHashes | None,
        seal: Callable[[Sighting], object],
        scorer: PictureScorer,
    ) -> None:
        """known: the banks; None where pictures are never to be fetched. seal: writes. scorer:
        asked about what no bank seals."""
        self._files, self._known, self._seal = files, known, seal
        self._scorer = scorer
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pictures")
        self._gate = threading.Lock()  # what is known of the banks is for one thread at a time
        self._waiting = 0

    async def judge(self, pictures: Sequence[AskedPicture], caller: Caller) -> Seen:
        """What is known of a call's pictures: first what banks say, then, where none is sealed,
        what rented models say that take pictures; `NOT_LOOKED_AT` where there is neither.

        Raises PictureError for the first that cannot be looked at, BusyError where too many wait,
        VendorError where a model is there and did not answer.
        """
        if self._waiting + len(pictures) > MOST_WAITING:
            raise BusyError(
                f"{MOST_WAITING} pictures are being looked at; ask again after the seconds in "
                "`retry-after`"
            )
        self._waiting += len(pictures)
        try:
            held = await self._held_against_banks(pictures, caller)
            return held if held.sealed else await self._scored(pictures, held)
        finally:
            self._waiting -= len(pictures)

    def close(self) -> None:
        """Give up what waits."""
        self._threads.shutdown(cancel_futures=True)
        self._files.close()

    async def _scored(self, pictures: Sequence[AskedPicture], seen: Seen) -> Seen:
        p, model = dict(seen.p), seen.model
        told = await self._scorer.look([one.url for one in pictures])
        for picture, scores in zip(pictures, told, strict=bool(told)):
            if scores is None:
                raise _refused(picture, "invalid_image", "whoever was asked about it refused it")
            model = scores.model_version
            for category, value in scores.p.items():
                p[category] = max(value, p.get(category, 0.0))
        return Seen(p=p, model=model)

    async def _held_against_banks(self, pictures: Sequence[AskedPicture], caller: Caller) -> Seen:
        known = self._known
        if known is None:
            return NOT_LOOKED_AT
        against = await asyncio.wrap_future(self._threads.submit(self._against, known))
        if not against:
            return NOT_LOOKED_AT
        work = [self._threads.submit(self._labels, one, known, caller) for one in pictures]
        found = await asyncio.gather(*map(asyncio.wrap_future, work), return_exceptions=True)
        labels = [label for one in found if not isinstance(one, BaseException) for label in one]
        sealed = any(label.is_seal for label in labels)
        for one in found:
            # A picture that cannot be read must not hide another one that is sealed by now.
            if isinstance(one, BaseException) and not (sealed and isinstance(one, PictureError)):
                raise one
        p = dict.fromkeys(sorted(against), 0.0)
        for label in labels:
            p[label.category] = max(label.p, p.get(label.category, 0.0))
        return Seen(p=p, sealed=sealed)

    def _against(self, known: KnownHashes) -> frozenset[str]:
        with self._gate:
            return known.categories() if known.are_there() else frozenset()

    def _labels(self, picture: AskedPicture, known: KnownHashes, caller: Caller) -> Sequence[Label]:
        hashes = self._hashes(picture)
        with self._gate:
            labels = known.evidence(hashes).labels
        match = next((label for label in labels if label.is_seal), None)
        if match is not None:
            # On this thread, so that a caller who goes away changes nothing.
            self._seal(_sighting(match, picture, hashes, caller))
            _LOG.warning("call_sealed")
        return labels

    def _hashes(self, picture: AskedPicture) -> MediaHashes:
        data = decoded(picture) if _is_data(picture.url) else self._fetched(picture)
        _check(picture, data)
        hashes = self._files.hashes(data)
        if isinstance(hashes, Unread):
            raise _refused(picture, "image_parse_error", hashes.reason)
        return hashes

    def _fetched(self, picture: AskedPicture) -> bytes:
        fault = fault_of(picture.url)
        if fault is not None:
            raise _refused(picture, "invalid_image_url", fault)
        data = self._files.fetch(picture.url)
        if isinstance(data, Unread):
            raise _refused(picture, "failed_to_download_image", data.reason)
        return data


def within_bounds(settings: ModerationSettings) -> ModerationSettings:
    """The settings by which pictures of calls are fetched: never larger than a call's may be."""
    return replace(settings, media_most_bytes=min(settings.media_most_bytes, MOST_BYTES))


def check_form(picture: AskedPicture) -> None:
    """Whether it may be a picture, looked at or not. Raises PictureError."""
    url = picture.url
    try:
        address = urlsplit(url[:MOST_URL_CHARS])
    except ValueError:
        address = urlsplit("")
    if _is_data(url) or (address.scheme in ("http", "https") and address.netloc):
        return
    raise PictureError(
        f"{picture.where}: got {url[:40]!r}, expected an address with http or https, or "
        "data:image/…;base64,…",
        field=picture.where,
        code="invalid_image_url",
    )


def _is_data(url: str) -> bool:
    head, comma, _ = url[:_MOST_HEAD_CHARS].partition(",")
    return bool(comma) and head.startswith(_IMAGE) and head.endswith(_BASE64)


def decoded(picture: AskedPicture) -> bytes:
    """The file in an address of the form `data:image/…;base64,…`. Raises PictureError."""
    body = picture.url.partition(",")[2]
    if len(body) * 3 // 4 > MOST_BYTES:
        raise _refused(picture, "image_file_too_large", f"larger than {MOST_BYTES} bytes")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:
        raise _refused(picture, "invalid_base64_image", "what follows is not base64") from error


def _check(picture: AskedPicture, data: bytes) -> None:
    if not data:
        raise _refused(picture, "empty_image_file", "the file is empty")
    if file_kind(data) != "picture":
        raise _refused(picture, "unsupported_image_media_type", f"expected {_FORMS}")


def _sighting(match: Label, picture: AskedPicture, hashes: MediaHashes, caller: Caller) -> Sighting:
    return Sighting(
        source=match.source,
        key_id=caller.key_id,
        text=caller.text,
        address=picture.url,
        md5=hashes.md5.hex(),
        sha256=hashes.sha256.hex(),
    )


def _refused(picture: AskedPicture, code: Code, reason: str) -> PictureError:
    return PictureError(
        f"{picture.where}: the picture cannot be looked at: {reason}",
        field=picture.where,
        code=code,
    )
