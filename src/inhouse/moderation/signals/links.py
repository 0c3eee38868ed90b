"""Links: how many, to how many domains, how many behind a shortener."""

import re
from dataclasses import dataclass
from typing import Final

from inhouse.moderation.signals.normalise import Form
from inhouse.moderation.types import Hit

_PORT: Final = re.compile(r"^:\d{1,5}")
# Services that hide where a link leads.
SHORTENERS: Final = frozenset(
    (
        "bit.ly", "bitly.com", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "lnkd.in", "ow.ly",
        "rb.gy", "rebrand.ly", "s.id", "shorturl.at", "t.co", "t.ly", "tiny.cc", "tinyurl.com",
        "tr.ee", "v.gd", "wp.me", "x.gd",
    )
)  # fmt: skip

_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_LINK: Final = re.compile(
    rf"(?:https?://|www\.)(?:[^\s/@]{{1,64}}@)?(?P<host>{_LABEL}(?:\.{_LABEL}){{0,8}})(?::\d{{1,5}})?(?:[/?#][^\s<>\"]*)?"
)
# Without a scheme only what is followed by a path, or ends in a suffix nobody writes by accident.
_BARE: Final = re.compile(
    rf"(?<![\w@./-])(?P<host>(?:{_LABEL}\.){{1,8}}(?:[a-z]{{2,24}}(?=/\w)|com|net|org|info|xyz|shop|club|ru|cn|tk|ly|gg|io))"
    r"(?![\w@-]|\.\w)(?:/[^\s<>\"]*)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A link in a text."""

    hit: Hit  # where, with its host as detail; the signal `shorteners` where it is hidden by one
    host: str  # without www.
    address: str  # host and path, as listed sites are held against it


def find_links(plain: Form) -> list[Link]:
    """Every link of a text."""
    if "." not in plain.text:
        return []
    found = [m for pattern in (_LINK, _BARE) for m in pattern.finditer(plain.text)]
    found.sort(key=lambda m: (m.start(), -m.end()))
    links: list[Link] = []
    last = 0
    for match in found:
        if match.start() < last:
            continue
        last = match.end()
        host = match["host"].removeprefix("www.")
        written = match.group().rstrip(".,;:!?)'")
        start, end = plain.span(match.start(), match.start() + len(written))
        signal = "shorteners" if host in SHORTENERS else "links"
        hit = Hit(signal=signal, start=start, end=end, detail=host, form=plain.name)
        path = _PORT.sub("", written[match.end("host") - match.start() :])
        links.append(Link(hit=hit, host=host, address=host + path))
    return links
