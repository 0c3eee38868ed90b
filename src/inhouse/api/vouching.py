"""Under whose name a call acts. Whoever holds a key vouches for the people they name; the console's
staff sign in there, so no key speaks for one of them."""

from inhouse.app.build import Services
from inhouse.core.errors import AccessError


def vouched(use: Services, name: str) -> str:
    """A name that the caller's key vouches for. Raises AccessError where it is, or looks like, that
    of one of the console's staff, now or before."""
    if use.staff.holds(name):
        raise AccessError(
            f"{name[:80]!r} is one of the console's staff, who decide there, signed in; "
            "name somebody that your app answers for",
            known_key=True,
        )
    return name
