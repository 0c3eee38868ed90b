"""Which addresses of the internet may be fetched from: public ones, and no others. Pure."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

MOST_URL_CHARS: Final = 4_096
PORTS: Final = frozenset((80, 443, 8080, 8443))
_SAFE: Final = "%/:=&?~+!$,;'@()*[]"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# IPv4 in IPv6 by translation, and the forms that nobody should use any more.
_WRAPPED: Final = tuple(
    ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "2002::/16")
)


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet, neither of this machine nor of its network.

    >>> [is_public(a) for a in ("93.184.216.34", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254")]
    [True, False, False, False]
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address.teredo is not None or any(address in net for net in _WRAPPED):
            return False
        if address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def fault_of(url: str) -> str | None:
    """Why a URL is not fetched, whatever its host resolves to; None where it may be."""
    if len(url) > MOST_URL_CHARS:
        return f"the address has more than {MOST_URL_CHARS} characters"
    if any(ord(character) < 33 or ord(character) == 127 for character in url):
        return "the address holds spaces or control characters"
    try:
        parts = urlsplit(url)
        port = port_of(parts)
        host = host_of(parts)
    except ValueError:
        return "the address is not one"
    if parts.scheme not in ("http", "https"):
        return "the address is neither http nor https"
    if not host:
        return "the address names no host"
    if parts.username is not None or parts.password is not None:
        return "the address carries a name or a password"
    if port not in PORTS:
        return "the address names a port that no media is served from"
    return None


def host_of(parts: SplitResult) -> str:
    """The host in ASCII. Raises ValueError where it cannot be one."""
    host = parts.hostname or ""
    if ":" in host or host.isascii():
        return host
    return host.encode("idna").decode("ascii")


def port_of(parts: SplitResult) -> int:
    """The port, where none is given that of the scheme. Raises ValueError."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def named(parts: SplitResult) -> str:
    """The host as a request names it, with its port where that is not the scheme's own."""
    host = host_of(parts)
    written = f"[{host}]" if ":" in host else host
    return written if parts.port is None else f"{written}:{parts.port}"


def path_of(parts: SplitResult) -> str:
    """What is asked of the host: path and query, in ASCII."""
    path = quote(parts.path or "/", safe=_SAFE)
    return f"{path}?{quote(parts.query, safe=_SAFE)}" if parts.query else path
