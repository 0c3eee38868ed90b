"""Secrets in text: keys, tokens and passwords, by the shapes that their issuers gave them."""

import re
from collections.abc import Iterator
from typing import Final

# Every quantifier is bounded and every shape begins with letters of its own, so that a look takes
# time in proportion to the text.
_ISSUED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:proj-|ant-|svcacct-|or-)?[A-Za-z0-9_-]{16,250}"  # OpenAI, Anthropic and who copied them
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,120}"  # Stripe
    r"|inh_[A-Za-z0-9_.-]{20,250}"  # ours
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|ya29\.[A-Za-z0-9_-]{20,250}"
    r"|gh[pousr]_[A-Za-z0-9]{30,250}|github_pat_[A-Za-z0-9_]{22,250}"
    r"|glpat-[A-Za-z0-9_-]{20,60}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250}"
    r"|hf_[A-Za-z0-9]{30,60}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}"  # Slack
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{4,4000}\.[A-Za-z0-9_-]{4,1000}"  # JSON web tokens
    r")"
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,20000}"
    r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
)
_IN_ADDRESS: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:/@]{0,128}:([^\s/@]{1,256})@")
_NAMED: Final = re.compile(
    r"(?i)\b(?:password|passwd|passphrase|pwd|passwort|contraseña|mot de passe|api[ _-]?key|secret"
    r"(?:[ _-]?key)?|access[ _-]?token|auth[ _-]?token|bearer)\b[\"']?"
    r"(?:\s{0,3}[:=]\s{0,3}|\s{1,3}is\s{1,3}|(?<=bearer)\s{1,3})[\"']?([^\s\"',;]{4,256})"
)


def find_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Places of secrets; they may overlap, and come in no order.

    >>> text = "my key AKIAABCDEFGHIJKLMNOP"
    >>> [text[start:end] for start, end in find_secrets(text)]
    ['AKIAABCDEFGHIJKLMNOP']
    """
    for shape in (_ISSUED, _PRIVATE_KEY):
        yield from (match.span() for match in shape.finditer(text))
    for shape in (_IN_ADDRESS, _NAMED):
        yield from (match.span(1) for match in shape.finditer(text))
