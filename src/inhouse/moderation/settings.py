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
