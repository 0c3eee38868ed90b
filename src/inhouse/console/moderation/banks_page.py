"""Banks as HTML: pure functions of what the store and the files say of them."""

from collections.abc import Mapping, Sequence
from typing import Final

from inhouse.console.markup import Safe, empty, join, note, table, tag, words
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.speech import category_name
from inhouse.console.words import count, plural, probability
from inhouse.moderation.media.banks import Added, BankFacts
from inhouse.moderation.media.rescan import Rescanned
from inhouse.moderation.media.types import BankHash, BankSpec, HashState
from inhouse.moderation.watching import HEARD_WITHIN_S

HEADING: Final = heading(
    "/moderation/banks",
    "Lists of what is known: pictures, videos and files by their hashes, words and sites by files.",
)
NO_BANK: Final = empty(
    "No bank of hashes yet", "Make one below; media of posts is fetched and hashed from then on."
)
_HASH_SHOWN: Final = 20
_STATES: Final[Mapping[HashState, str]] = {"active": "good", "disabled": "warn", "removed": ""}


def bank_line(facts: BankFacts) -> Safe:
    """A bank in a sentence."""
    spec = facts.bank.spec
    says = (
        note(f"{category_name(spec.category)} {probability(spec.p)}", "bad")
        if spec.category
        else note("must not match", "good")
    )
    notes = [
        says,
        note(spec.kind),
        note(f"within {spec.distance} bits") if spec.kind == "pdq" else None,
        counting(spec),
    ]
    disabled = f", {count(facts.disabled)} disabled" if facts.disabled else ""
    return tag(
        "span",
        tag("b", spec.name),
        f" {plural(facts.hashes, 'hash', 'hashes')}{disabled} ",
        join([one for one in notes if one is not None], " "),
    )


def counting(spec: BankSpec) -> Safe:
    """How much of a bank counts."""
    if not spec.active:
        return note("rests", "warn")
    return (
        note("all count", "accent") if spec.share == 100 else note(f"{spec.share}% count", "warn")
    )


def meaning(spec: BankSpec) -> Safe:
    """What a match with this bank does."""
    if spec.category is None:
        what = "a picture near one of these is held against no other bank"
    else:
        category = category_name(spec.category)
        what = f"a match says {category} with probability {probability(spec.p)}"
    return tag(
        "p",
        f"{spec.name}: {what}. Workers hear of a change within two seconds; posts of before are "
        "held against it by a re-scan.",
        class_="quiet small",
    )


def hashes_head(found: Sequence[BankHash], after: int) -> Safe:
    """Stands above the hashes that are shown."""
    if found:
        return tag("p", f"Numbers {found[0].hash_id} to {found[-1].hash_id}", class_="quiet small")
    told = "No more." if after else "None yet: add some above."
    return tag("p", told, class_="quiet")


def hash_line(one: BankHash) -> Safe:
    """One hash."""
    return tag(
        "span",
        tag("code", f"{one.hash[:_HASH_SHOWN]}…", title=one.hash),
        " ",
        note(one.state, _STATES[one.state]),
        " ",
        words(one.note) if one.note else None,
    )


def added(done: Added) -> Safe:
    """What became of lines."""
    return join([f"{count(done.added)} added, {count(done.known)} were there."])


def rescanned(done: Rescanned) -> Safe:
    """What a re-scan of media did."""
    return join(
        [
            f"{plural(done.looked_at, 'post')} held against the banks, "
            f"{plural(done.changed, 'new verdict')}, "
            f"{plural(done.cases, 'case')} opened or added to."
        ]
    )


def faults_html(told: str) -> Safe:
    """Every line that is wrong."""
    return tag("pre", told, class_="faults", tabindex="0")


def terms_html(sizes: Mapping[str, int], folder: str, trouble: str | None) -> Safe:
    """The term banks in force."""
    rows = [(words(name), count(size)) for name, size in sorted(sizes.items())]
    where = (
        f"They are files in {folder}; a change is heard within {HEARD_WITHIN_S:g} seconds."
        if folder
        else "These are the examples in the package: set INHOUSE_MODERATION_BANKS to a folder of "
        "your own."
    )
    return join(
        [
            faults_html(trouble) if trouble else None,
            table(("bank", "terms, patterns, sites"), rows, "lr"),
            tag("p", where, class_="quiet small inset"),
        ]
    )
