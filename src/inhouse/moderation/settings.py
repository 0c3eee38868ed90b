"""Settings of moderation."""

from dataclasses import dataclass

from inhouse.core.settings import setting


@dataclass(frozen=True, kw_only=True)
class ModerationSettings:
    """Where the rules are, and how patient review is."""

    policy: str = setting(
        "", unit="path", help="policy file; empty takes the default one in the package"
    )
    banks: str = setting(
        "",
        unit="path",
        help="folder of term banks (.txt, .csv); empty takes the examples in the package",
    )
    teaching_banks: str = setting(
        "",
        unit="names",
        help="term banks, with commas between, whose matches teach the text model where neither a "
        "person nor a rented model spoke of a text; empty: none",
    )
    media: str = setting(
        "banks",
        unit="name",
        help="when pictures and videos of posts are fetched and hashed: banks, while there is a "
        "bank of hashes to hold them against; always; never (decision 23)",
        choices=("banks", "always", "never"),
    )
    media_most_bytes: int = setting(
        30_000_000, unit="bytes", help="largest file fetched", least=1_000, most=1_000_000_000
    )
    media_fetch_ms: int = setting(
        10_000, unit="ms", help="time for fetching a file, all told", least=100, most=120_000
    )
    media_decode_ms: int = setting(
        20_000, unit="ms", help="time for reading a file", least=100, most=120_000
    )
    media_most_pixels: int = setting(
        50_000_000, unit="pixels", help="largest picture read", least=10_000, most=500_000_000
    )
    media_frames: int = setting(
        30, unit="frames", help="most moments of a video hashed, one a second", least=1, most=600
    )
    media_tries: int = setting(
        3,
        unit="tries",
        help="how often a file is tried before it counts as unread",
        least=1,
        most=9,
    )
    media_threads: int = setting(
        12,
        unit="threads",
        help="files fetched at a time, all but two of one host",
        least=1,
        most=64,
    )
    scan_limit: int = setting(
        200, unit="changes", help="most changes dealt with in one scan", least=1, most=10_000
    )
    most_chars: int = setting(
        8_000,
        unit="characters",
        help="of a longer post a model is shown the beginning and the end, terms see all of it",
        least=200,
        most=100_000,
    )
    lock_ms: int = setting(
        600_000,
        unit="ms",
        help="how long a case stays with a reviewer who does nothing",
        least=10_000,
        most=86_400_000,
    )
    reopen_after: int = setting(
        3,
        unit="people",
        help="new reporters that bring an item back to review after a person has decided on it",
        least=1,
        most=1_000,
    )
    sealed_key: str = setting(
        "",
        unit="path",
        help="file of the key for what is sealed; empty keeps sealed.key in the data folder",
    )
