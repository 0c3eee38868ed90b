"""What a file is by its first bytes, whatever its name or its sender says of it."""

from typing import Literal

FileKind = Literal["picture", "mp4", "matroska"]


def file_kind(data: bytes) -> FileKind | None:
    """The kind of a file; None for anything that is not on the list.

    >>> file_kind(b"GIF89a..."), file_kind(b"<svg></svg>")
    ('picture', None)
    """
    head = data[:16]
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM")):
        return "picture"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "picture"
    if head[4:8] == b"ftyp":
        return "picture" if head[8:12] in (b"avif", b"avis") else "mp4"
    return "matroska" if head.startswith(b"\x1aE\xdf\xa3") else None
