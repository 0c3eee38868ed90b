"""Named staff: added, invited, reset, switched off, erased; and where they are signed in."""

import dataclasses

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from inhouse.app.staff import passwords
from inhouse.app.staff.book import ONCE_FOR_MS, Staff
from inhouse.app.staff.sessions import SessionLimits, StaffSessions
from inhouse.app.staff.types import ROLES, Standing, may, name_key, staff_name
from inhouse.core.clock import HOUR_MS, MINUTE_MS, SystemClock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.moderation.reviewing.reviewers import Reviewers, ReviewerSettings
from inhouse.store import tables
from inhouse.store.database import Database

OWN = "four words nobody says"


class _Clock(SystemClock):
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at_ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.at_ms


@pytest.fixture
def clock() -> _Clock:
    """The machine's time."""
    return _Clock()


@pytest.fixture
def staff(any_database: Database, clock: _Clock, quick_hashes: None) -> Staff:
    """With Ada, an operator."""
    made = Staff(any_database, clock)
    made.begin("Ada", OWN)
    return made


@pytest.fixture
def sessions(any_database: Database, clock: _Clock) -> StaffSessions:
    """Ends after twelve hours, or one without anything done."""
    return StaffSessions(any_database, SessionLimits(), clock)


def _states(staff: Staff) -> dict[str, tuple[str, str]]:
    return {member.name: (member.role, member.state) for member in staff.list()}


def test_somebody_invited_comes_in_once_told_and_chooses_a_password(staff: Staff) -> None:
    """The one-time password is another each time, stands nowhere, and ends with the choice."""
    member, once = staff.add("Ben Ho", "moderator", "Ada")
    found = staff.check("ben  ho", once)
    with pytest.raises(InputError, match="that is the password you have; choose another"):
        staff.choose("Ben Ho", once)
    chosen = staff.choose("Ben Ho", "another long sentence")

    assert (found, member.state, member.changed_by) == (member, "invited", "Ada")
    assert (chosen.state, chosen.changed_by) == ("active", "Ben Ho")
    assert staff.check("Ben Ho", once) is None
    assert staff.check("Ben Ho", "another long sentence") == chosen


def test_no_password_is_in_the_store(any_database: Database, staff: Staff) -> None:
    """Neither one that was chosen nor a one-time one."""
    _, once = staff.add("Ben", "viewer")
    with any_database.read() as connection:
        rows = connection.execute(sa.select(tables.staff)).all()

    assert all(OWN not in str(row) and once not in str(row) for row in rows)


def test_hashing_is_slow_salted_and_never_opens_for_nobody() -> None:
    """The cost is that of OWASP's list; two hashes of a password differ; without one all fail."""
    first, second = passwords.hashed(OWN), passwords.hashed(OWN)

    assert first.startswith("scrypt$14$8$5$")
    assert first != second
    assert (passwords.fits(OWN, first), passwords.fits("wrong", first)) == (True, False)
    assert not passwords.fits("", None)


def test_a_one_time_password_is_void_after_a_week(staff: Staff, clock: _Clock) -> None:
    """Nobody finds a slip of paper useful later; a reset makes another."""
    _, once = staff.add("Ben", "viewer")
    clock.at_ms += ONCE_FOR_MS
    late = staff.check("Ben", once)
    with pytest.raises(ConflictError, match="the one-time password is void"):
        staff.choose("Ben", "another long sentence")
    again = staff.reset("Ben")

    assert late is None
    assert staff.check("Ben", again) is not None


def test_the_first_is_an_operator_and_there_is_always_one(
    database: Database, quick_hashes: None
) -> None:
    """Nobody is added below no operator, and the last one cannot go."""
    staff = Staff(database)
    with pytest.raises(ConflictError, match="Ben would be a lead with no operator above"):
        staff.add("Ben", "lead")
    staff.add("Ada", "operator")
    for act in (staff.off, staff.erase, lambda name: staff.set_role(name, "lead")):
        with pytest.raises(ConflictError, match="Ada is the only operator"):
            act("ada")
    with pytest.raises(ConflictError, match="there are staff with names already"):
        staff.begin("Eve", OWN)
    staff.add("Ben", "operator")
    staff.off("Ada")

    assert _states(staff) == {"Ada": ("operator", "off"), "Ben": ("operator", "invited")}
    with pytest.raises(ConflictError, match="Ben is the only operator"):
        staff.off("Ben")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ADA", "Ada is one of the staff already"),
        ("Ａda", "Ada is one of the staff already"),
        (" ada ", "Ada is one of the staff already"),
        ("", "name: got '', expected 1 to 60 letters"),
        ("a" * 61, "expected 1 to 60 letters"),
        ("<b>eve</b>", "expected 1 to 60 letters"),
        ("eve\x00", "expected 1 to 60 letters"),
        ("\u202eeve", "expected 1 to 60 letters"),
        ("😀", "expected 1 to 60 letters"),
    ],
)
def test_a_name_is_one_persons_and_can_be_read(staff: Staff, name: str, told: str) -> None:
    """Names that would be taken for each other are one; marks, signs and emptiness are none."""
    with pytest.raises(InputError, match=told):
        staff.add(name, "viewer")
    assert _states(staff) == {"Ada": ("operator", "active")}


@pytest.mark.parametrize("name", ["nobody", "", "a\x00b", "\ud800", "😀" * 5_000])
def test_a_name_that_is_nobodys_opens_nothing(staff: Staff, name: str) -> None:
    """Garbage is an unknown name, whatever database looks for it."""
    assert staff.check(name, OWN) is None
    assert not staff.holds(name)
    with pytest.raises(UnknownError, match="nobody of the staff is called"):
        staff.off(name)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("short", "a password of 5 characters; expected 12 to 256"),
        ("x" * 257, "a password of 257 characters; expected 12 to 256"),
        ("ababababababab", "a few characters again and again"),
    ],
)
def test_a_password_is_long_and_no_pattern(staff: Staff, password: str, told: str) -> None:
    """What is too easy is refused with what would be better."""
    with pytest.raises(InputError, match=told):
        staff.choose("Ada", password)


def test_erasing_keeps_the_name_and_nothing_to_sign_in_with(
    any_database: Database, staff: Staff, sessions: StaffSessions, clock: _Clock
) -> None:
    """Hash, sessions and settings go; the name stays taken, as decisions stand under it."""
    ben, _ = staff.add("Ben", "moderator")
    Reviewers(any_database, clock).put("Ben", ReviewerSettings(blur="none"))
    token = sessions.begin(ben)
    staff.erase("Ben", "Ada")
    with any_database.read() as connection:
        row = connection.execute(sa.select(tables.staff).where(tables.staff.c.name == "Ben")).one()
        left = connection.execute(sa.select(tables.staff_sessions)).all()

    assert (row.secret, row.secret_until_ms, left) == (None, None, [])
    assert sessions.standing(token) == Standing(named=True)
    assert Reviewers(any_database, clock).get("Ben") == ReviewerSettings()
    assert staff.holds("ben")
    with pytest.raises(ConflictError, match="Ben was erased; the name stays"):
        staff.add("ben", "moderator")
    with pytest.raises(ConflictError, match="Ben was erased; the name stays"):
        staff.reset("Ben")


@pytest.mark.parametrize("change", ["off", "reset", "role", "choose", "out"])
def test_a_change_ends_every_session(staff: Staff, sessions: StaffSessions, change: str) -> None:
    """Switched off, reset, another role, another password, signed out: the cookie is nobody's, and
    others' sessions last."""
    ben, _ = staff.add("Ben", "moderator")
    ada = staff.list()[0]
    token, others = sessions.begin(ben), sessions.begin(ada)
    before = sessions.standing(token)
    changes = {
        "off": lambda: staff.off("Ben"),
        "reset": lambda: staff.reset("Ben"),
        "role": lambda: staff.set_role("Ben", "viewer"),
        "choose": lambda: staff.choose("Ben", "another long sentence"),
        "out": lambda: sessions.end(token),
    }
    changes[change]()

    assert before == Standing(named=True, member=ben)
    assert sessions.standing(token) == Standing(named=True)
    assert sessions.standing(others) == Standing(named=True, member=ada)


def test_a_session_does_not_begin_for_who_was_changed_meanwhile(
    staff: Staff, sessions: StaffSessions, clock: _Clock
) -> None:
    """Between the password and the session somebody may have been switched off."""
    ben, _ = staff.add("Ben", "moderator")
    clock.at_ms += 1
    staff.off("Ben")
    with pytest.raises(ConflictError, match="Ben was changed a moment ago"):
        sessions.begin(ben)


def test_sessions_end_by_themselves(
    staff: Staff, sessions: StaffSessions, clock: _Clock, any_database: Database
) -> None:
    """An hour after the last thing done, twelve hours after the first; then no row is left."""
    ada = staff.list()[0]
    token = sessions.begin(ada)
    for _ in range(12):
        clock.at_ms += 59 * MINUTE_MS
        assert sessions.standing(token).member == ada
        sessions.note(token)
    clock.at_ms += 12 * MINUTE_MS
    whole = sessions.standing(token).member
    idle = sessions.begin(ada)
    clock.at_ms += HOUR_MS
    fresh = sessions.begin(ada)
    with any_database.read() as connection:
        left = len(connection.execute(sa.select(tables.staff_sessions)).all())

    assert (whole, sessions.standing(idle).member) == (None, None)
    assert (sessions.standing(fresh).member, left) == (ada, 1)


@pytest.mark.parametrize("token", [None, "", "x", "x" * 100_000, "a\x00", "\ud800", "نص"])
def test_a_cookie_that_is_none_is_nobody(
    staff: Staff, sessions: StaffSessions, token: str | None
) -> None:
    """Garbage is no session, and signing out with it is nothing."""
    assert sessions.standing(token) == Standing(named=True)
    sessions.end(token)


def test_the_cookie_is_not_in_the_store(
    any_database: Database, staff: Staff, sessions: StaffSessions
) -> None:
    """Whoever reads the database cannot sign in with what they read."""
    token = sessions.begin(staff.list()[0])
    with any_database.read() as connection:
        (row,) = connection.execute(sa.select(tables.staff_sessions)).all()

    assert token not in str(row)
    assert sessions.standing(row.token_hash) == Standing(named=True)


def test_roles_are_a_ladder() -> None:
    """Each may do all that those before it may, and no more."""
    table = [[may(role, least) for least in ROLES] for role in ROLES]

    assert table == [[place <= own for place in range(4)] for own in range(4)]


@given(st.text(max_size=80))
def test_a_name_that_is_taken_up_looks_like_itself(text: str) -> None:
    """What is accepted is accepted again unchanged, and has the same key as what was typed."""
    try:
        name = staff_name(text)
    except InputError:
        return
    assert staff_name(name) == name
    assert name_key(name) == name_key(text)
    assert name.isprintable()


def test_a_member_tells_no_secret(staff: Staff) -> None:
    """What lists and pages are given holds no hash."""
    fields = {field.name for field in dataclasses.fields(staff.list()[0])}

    assert fields == {"name", "role", "state", "created_ms", "changed_ms", "changed_by"}
