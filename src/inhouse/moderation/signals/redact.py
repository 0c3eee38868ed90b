"""Taking personal data and secrets out of texts that are to be kept.

What stands there instead names the kind, `[email]`, so that a model learns that something did. What
has no shape of its own, a name or a street, stays: nobody should take the rest for anonymous.
"""

from typing import Final

from inhouse.moderation.signals.normalise import plain_of
from inhouse.moderation.signals.personal import find_personal
from inhouse.moderation.signals.secrets import find_secrets

_NAMES: Final = {"emails": "[email]", "phones": "[phone]", "cards": "[card]"}
_SECRET: Final = "[secret]"


def redact(text: str) -> str:
    """The text without e-mail addresses, telephone numbers, payment cards, keys and passwords.

    >>> redact("Write to ann@example.com, the password is hunter2!")
    'Write to [email], the password is [secret]'
    """
    if not text:
        return text
    finds = [(hit.start, hit.end, _NAMES[hit.signal]) for hit in find_personal(plain_of(text))]
    # A secret goes first where both are found: what is within it would be left standing around.
    finds += [(start, end, _SECRET) for start, end in find_secrets(text)]
    parts, done = [], 0
    for start, end, name in sorted(finds, key=lambda find: (find[0], -find[1])):
        if start >= done:
            parts += [text[done:start], name]
        done = max(done, end)
    return "".join((*parts, text[done:]))
