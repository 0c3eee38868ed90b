"""A person's page as HTML: pure functions of its facts."""

from collections.abc import Mapping, Sequence
from typing import Final

from inhouse.catalog.types import Item
from inhouse.console.bars import bar
from inhouse.console.feed_page import Choice
from inhouse.console.markup import (
    Child,
    Safe,
    empty,
    join,
    link,
    note,
    person_link,
    person_path,
    table,
    tag,
    tile,
    tiles,
    words,
)
from inhouse.console.person.history import Leaning, Sitting, sittings
from inhouse.console.person.model import Expectation, Page, PersonFacts, Placed, Seen
from inhouse.console.words import (
    UNKNOWN,
    ago,
    count,
    day,
    moment,
    plural,
    probability,
    share,
    shortened,
    span,
)
from inhouse.core.ids import ItemId, UserId

_MOST_TITLE: Final = 140
_BARS: Final = 7
_VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "impression": ("saw", ""),
    "dwell": ("looked", ""),
    "watch": ("watched", ""),
    "click": ("opened", ""),
    "like": ("liked", "accent"),
    "comment": ("commented", "accent"),
    "share": ("shared", "accent"),
    "save": ("saved", "accent"),
    "more": ("wants more", "accent"),
    "hide": ("hid", "bad"),
    "report": ("reported", "bad"),
    "visit": ("came by", ""),
    "reset": ("asked to start afresh", "warn"),
    "pause": ("paused personalisation", "warn"),
    "resume": ("resumed personalisation", ""),
    "undo": ("took back what they did with", ""),
    "link": ("is the same as", ""),
    "follow": ("followed", "accent"),
    "unfollow": ("unfollowed", ""),
    "mute": ("muted", "warn"),
    "unmute": ("unmuted", ""),
    "block": ("blocked", "bad"),
    "unblock": ("unblocked", ""),
}
SEARCH_HEADING: Final = join(
    [
        tag("h1", "People"),
        tag(
            "p",
            "What one person did, what they were shown, and why. Search by name or id; Enter opens "
            "an id, known or not.",
            class_="lead",
        ),
    ]
)
READING: Final = tag("p", "Reading the log…", class_="lead")
NOTHING: Final = join([])
_QUIET: Final = frozenset(("impression", "dwell", "watch"))


def title_of(item: Item | None, item_id: ItemId | str) -> str:
    """What to call a post in a list: its title, else its first words, else its id."""
    text = (item.title or item.text) if item else ""
    return shortened(" ".join(text.split()), _MOST_TITLE) or item_id


def people_list(people: Sequence[Seen], now_ms: int) -> Safe:
    """Who was here lately."""
    if not people:
        return empty(
            "Nobody has done anything yet",
            "People appear here as soon as the app sends events, the latest first.",
        )
    rows: list[list[Child]] = [
        [
            join(
                [person_link(one.user_id, one.name), tag("span", one.user_id, class_="sub")]
                if one.name
                else [person_link(one.user_id)]
            ),
            ago(one.last_ms, now_ms),
            count(one.actions),
            link(f"/feed?user={person_path(one.user_id).removeprefix('/person/')}", "their feed"),
        ]
        for one in people
    ]
    return table(("Person", "Last here", "Latest actions", ""), rows, "llrr")


def found_list(found: Sequence[Choice], text: str) -> Safe:
    """Who was found."""
    if not found:
        return empty(
            f"Nobody's name or id has “{shortened(text, 40)}” in it",
            "Somebody only seen in events has no record: press Enter to open the id itself.",
        )
    rows: list[list[Child]] = [[person_link(one.id, one.name), one.id] for one in found]
    return table(("Person", "Id"), rows, "ll")


def trouble(text: str) -> Safe:
    """What stands where the store did not answer."""
    return empty("The log cannot be read at the moment", text)


def heading(facts: PersonFacts) -> Safe:
    """Who this is."""
    user = facts.user
    name = (user.name if user else None) or facts.user_id
    parts: list[str | None] = [facts.user_id if name != facts.user_id else None]
    if user:
        parts.append(f"joined {day(user.created_ms)}" if user.created_ms else None)
        parts += [user.language, user.region]
        parts.append(
            f"born {user.birth_year}" if user.birth_year else "age unknown: counts as under age"
        )
        parts.append("creator" if user.is_creator else None)
    elif facts.known:
        parts.append("only seen in events: the app has sent no record of this person")
    feed = link(
        f"/feed?user={person_path(facts.user_id).removeprefix('/person/')}",
        "Open their feed",
        class_="plain-button",
    )
    about = tag("p", join([p for p in parts if p], " · "), class_="lead")
    return tag("div", tag("div", tag("h1", words(name)), about), feed, class_="head")


def unknown(user_id: str) -> Safe:
    """What stands where nothing is known of an id."""
    return empty(
        f"Nothing is known of {shortened(user_id, 60)}",
        "No record, no event in the part of the log that is looked at, no page served. A stranger "
        "who asks for a feed gets a cold start and appears here with their first page.",
    )


def figures(facts: PersonFacts) -> Safe:
    """The person in figures."""
    last = facts.actions[0].at_ms if facts.actions else None
    positive = sum(1 for done in facts.actions if done.kind in ("like", "save", "share", "comment"))
    return tiles(
        tile("Last here", ago(last, facts.now_ms), moment(last) if last is not None else None),
        tile("Latest actions", count(len(facts.actions)), f"{positive} likes, saves, shares"),
        tile("Follows", count(len(facts.controls.follows)), "creators"),
        tile("Pages looked at", count(len(facts.pages)), _served_remark(facts)),
    )


def _served_remark(facts: PersonFacts) -> str:
    places = [placed.shown for page in facts.pages for placed in page.places]
    explored = sum(shown.explored for shown in places)
    return f"{plural(len(places), 'place')}, {explored} by chance" if places else "none served yet"


def history(facts: PersonFacts) -> Safe:
    """What they did, newest first."""
    if not facts.actions:
        return empty(
            "No actions yet", "What this person sees, likes, hides and follows appears here."
        )
    lines = [_sitting(one, facts) for one in sittings(facts.actions)]
    return tag("ul", *lines, class_="log history", tabindex="0")


def _sitting(one: Sitting, facts: PersonFacts) -> Safe:
    verbs = [kind for kind in one.kinds if kind not in _QUIET] or list(one.kinds[-1:])
    did = [note(*_VERBS.get(kind, (kind, ""))) for kind in verbs]
    spent = tag("span", span(one.spent_ms), class_="quiet small") if one.spent_ms else None
    about: Child = None
    if one.item_id is not None:
        item = facts.items.get(one.item_id)
        about = words(title_of(item, one.item_id))
    elif one.target is not None:
        about = _target(one.target, facts.names)
    return tag(
        "li",
        tag("span", moment(one.at_ms), class_="when"),
        tag("div", join([*did, about, spent], " ")),
    )


def _target(target: str, names: Mapping[UserId, str | None]) -> Safe:
    sort, _, name = target.partition(":")
    if sort == "creator":
        return person_link(name, names.get(UserId(name)))
    return join([f"the {sort} ", words(f"“{name}”")])


def leaning(found: Sequence[Leaning], names: Mapping[UserId, str | None], what: str) -> Safe:
    """What they lean to, by what they did."""
    shown = [one for one in found if abs(one.weight) >= 0.05][:_BARS]
    if not shown:
        return empty(
            f"No {what} yet",
            "Likes, saves, shares, long looks and hides add up here; an old one counts for less.",
        )
    most = max(abs(one.weight) for one in shown)
    return tag("div", *(_leaning(one, names, most) for one in shown), class_="bars")


def _leaning(one: Leaning, names: Mapping[UserId, str | None], most: float) -> Safe:
    creator = UserId(one.name)
    name = person_link(one.name, names[creator]) if creator in names else words(one.name)
    sign = "−" if one.weight < 0 else ""
    return bar(
        name, abs(one.weight) / most, f"{sign}{abs(one.weight):.1f}", "against" * (one.weight < 0)
    )


def expected(facts: PersonFacts) -> Safe:
    """What the ranker expects of them, topic by topic."""
    shown = [one for one in facts.expected if one.places >= 2][:_BARS]
    if not shown or facts.p_like_overall is None:
        return empty(
            "Nothing predicted yet",
            "What a trained model expects of this person appears here by topic.",
        )
    most = max(one.p_like for one in shown) or 1.0
    bars = [_expected(one, most) for one in shown]
    remark = tag(
        "p",
        f"Mean chance of a like over {plural(sum(o.places for o in facts.expected), 'place')} "
        f"served lately; over all topics {share(facts.p_like_overall, 1)}.",
        class_="quiet small",
    )
    return join([tag("div", *bars, class_="bars"), remark])


def _expected(one: Expectation, most: float) -> Safe:
    return bar(words(one.topic), one.p_like / most, share(one.p_like, 1))


def controls(facts: PersonFacts) -> Safe:
    """What they asked for."""
    held = facts.controls
    if not (held.follows or held.muted or held.blocked):
        return empty(
            "Nobody followed, nothing muted or blocked",
            "What this person asks for appears here, and holds for every page from then on.",
        )
    parts = [
        _control(
            "Follows", [person_link(who, facts.names.get(UserId(who))) for who in held.follows]
        ),
        _control("Muted", [_target(target, facts.names) for target in held.muted]),
        _control(
            "Blocked", [person_link(who, facts.names.get(UserId(who))) for who in held.blocked]
        ),
    ]
    return tag("div", *parts, class_="controls")


def _control(name: str, members: Sequence[Safe]) -> Safe | None:
    if not members:
        return None
    listed = [tag("span", member, class_="note") for member in members]
    return tag(
        "div", tag("h3", f"{name} ", note(count(len(members)))), tag("div", *listed, class_="notes")
    )


def served(facts: PersonFacts) -> Safe:
    """The last pages, place by place."""
    if not facts.pages:
        return empty(
            "No page served yet",
            "Every page is logged with candidates, scores and reasons; it appears here at once.",
        )
    return join([_page(page, index == 0, facts) for index, page in enumerate(facts.pages)])


def _page(page: Page, is_open: bool, facts: PersonFacts) -> Safe:
    served = page.page
    arms = [note(f"{key}: {arm}", "accent") for key, arm in served.arms.items()]
    summary = tag(
        "summary",
        tag("b", moment(served.at_ms)),
        join(
            [
                f" · {served.surface.replace('_', ' ')} · {plural(len(page.places), 'post')} · ",
                f"{plural(len(served.removed), 'candidate')} taken out ",
                *arms,
                note(
                    f"model {shortened(served.snapshot_id, 28)}"
                    if served.snapshot_id
                    else "no model yet"
                ),
            ]
        ),
    )
    places = [_placed(placed, facts) for placed in page.places]
    return tag("details", summary, *places, class_="served", open=is_open)


def _placed(placed: Placed, facts: PersonFacts) -> Safe:
    shown = placed.shown
    item = placed.item
    creator = person_link(item.creator_id, facts.names.get(item.creator_id)) if item else None
    chips = [note(shown.source, "accent"), note("by chance", "warn") if shown.explored else None]
    chips += [note(text.replace(":", ": ")) for text in shown.notes if text.startswith("label")]
    line = tag(
        "summary",
        tag("span", str(shown.position + 1), class_="place-number"),
        tag("span", words(title_of(item, shown.item_id)), tag("span", creator, class_="sub")),
        tag("span", *chips, class_="notes"),
        tag("span", _predicted(shown.predicted), class_="quiet small predicted"),
    )
    why = tag(
        "ul", *(tag("li", words(sentence)) for sentence in placed.why.sentences), class_="reasons"
    )
    facts_line = tag(
        "p",
        f"value {shown.value:.4g} · propensity {shown.propensity:.3g} · offered by "
        f"{', '.join(shown.sources)}",
        class_="quiet small",
    )
    return tag("details", line, why, facts_line, class_="placed")


def _predicted(predicted: Mapping[str, float]) -> str:
    if not predicted:
        return "not predicted"
    parts = [
        f"{name} {probability(predicted.get(key))}"
        for name, key in (("open", "p_click"), ("like", "p_like"), ("hide", "p_hide"))
    ]
    dwell = predicted.get("dwell_ms")
    return " · ".join([*parts, UNKNOWN if dwell is None else span(dwell)])
