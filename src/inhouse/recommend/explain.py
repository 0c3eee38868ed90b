"""Why this post, and why not that one: read from the logged page alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from inhouse.core.ids import ItemId
from inhouse.events.types import PageItem, RemovedItem, ServedPage
from inhouse.recommend.types import Why

__all__ = ["REMOVED_WORDS", "SOURCE_WORDS", "Why", "explain"]

Titles = Mapping[ItemId, str]
Reasons = Mapping[str, str]

# Notes of a place that name an operator's rule, and what they mean.
RULE_NOTES: Final[Mapping[str, str]] = {
    "pinned": "The people who run this community put it at this place",
    "boosted": "The people who run this community lift posts like this one",
    "lowered": "The people who run this community lower posts like this one",
}

SOURCE_WORDS: Final[Mapping[str, str]] = {
    "taste": "It fits what you tend to want.",
    "similar": "It is like something you wanted lately.",
    "following": "You follow its creator.",
    "trending": "Many people want it right now.",
    "fresh": "It is new.",
    "explore": "Few people have seen it yet.",
    "popular": "It is popular with everybody.",
    "reserve": "It was chosen for you and left over from an earlier page.",
    "ordered": "The people who run this community asked for it to be shown.",
}
_SURFACE_WORDS: Final[Mapping[str, str]] = {
    "following": "This page shows the creators you follow, newest first.",
    "latest": "This page shows the newest posts first and uses nothing of what you did.",
    "trending": "This page shows what many people want right now.",
    "similar": "This page shows what is like the post you looked at.",
}
REMOVED_WORDS: Final[Mapping[str, str]] = {
    "hidden": "The app has withdrawn it.",
    "expired": "Its time is over.",
    "reply": "It answers another post, and is shown below that one alone.",
    "verdict_allow": "Moderation's decision does not let it be shown here.",
    "verdict_limit": "Moderation limits it to people who follow its creator.",
    "verdict_warn": "Moderation's decision does not let it be shown here.",
    "verdict_age_gate": "It is for adults, and we do not know that you are one.",
    "verdict_review": "A person of the moderation team has yet to look at it.",
    "verdict_remove": "Moderation does not let it be shown to you.",
    "verdict_awaited": "Moderation has not looked at it yet.",
    "operator_blocked": "The people who run this community keep it out of this page.",
    "blocked_creator": "You have blocked its creator.",
    "blocked_by_creator": "Its creator has chosen not to share posts with you.",
    "muted_creator": "You have muted its creator.",
    "muted_topic": "You have muted one of its topics.",
    "muted_word": "It contains a word you have muted.",
    "own_post": "It is your own post.",
    "other_region": "It is meant for another region.",
    "excluded": "This request asked to leave it out.",
    "seen": "You have seen it already.",
    "served_lately": "One of your last pages showed it.",
    "creator_cap": "Its creator has enough places on this page and the ones before it.",
}
# What a page made under load says of itself; see `levels`.
_LEVEL_WORDS: Final[Mapping[int, str]] = {
    1: "Many people asked at once, so fewer posts than usual were considered for this page.",
    2: "Many people asked at once, so this page shows what an earlier one had left over for you.",
    3: "Many people asked at once, so this page shows what is trending.",
}
_HELD_WORDS: Final[Mapping[str, str]] = {
    "creator_neighbour": "the post above it was by the same creator",
    "creator_cap": "its creator had several places already",
    "creator_spread": "posts by the same creators had to be kept apart",
    "like_those_above": "it is like posts above it",
}
_LABEL_WORDS: Final[Mapping[str, str]] = {
    "warn": "Moderation has put a warning on it.",
    "age_gate": "It is marked as being for adults.",
}
_MOVED_FROM: Final = 3  # places; less is nothing to speak of


def explain(
    page: ServedPage, item_id: ItemId, titles: Titles, rules: Reasons = MappingProxyType({})
) -> Why:
    """Why `item_id` is on the page or not, in sentences and for programs.

    `titles` says what to call items; one without a title is called by its id. `rules` says why
    operators made the rules that the page's notes name. Nothing but the page
    is consulted, so the answer for a page served last month is the one it had then.
    """
    for shown in page.items:
        if shown.item_id == item_id:
            return _why(page, _shown_sentences(page, shown, titles, rules), _shown_detail(shown))
    for removed in page.removed:
        if removed.item_id == item_id:
            return _why(page, _removed_sentences(removed), _removed_detail(removed))
    if item_id in page.reserve:
        return _reserved(page, item_id)
    return _why(page, [_never(page)], {"outcome": "never_candidate"})


def explained_now(why: Why, reason: str | None) -> Why:
    """The same with what would keep the item from a page now: a filter's reason, or nothing.

    `unknown_item` stands for one that is gone or never was.
    """
    words = REMOVED_WORDS.get(reason, "") if reason else ""
    sentences = (f"If you asked now: {words}",) if words else ("Nothing would keep it out now.",)
    if reason == "unknown_item":
        sentences = ("There is no such post any more.",)
    return replace(
        why, sentences=(*why.sentences, *sentences), detail={**why.detail, "now": reason}
    )


def _why(page: ServedPage, sentences: Sequence[str], detail: dict[str, object]) -> Why:
    facts: dict[str, object] = {
        "surface": page.surface,
        "at_ms": page.at_ms,
        "arms": dict(page.arms),
        "snapshot_id": page.snapshot_id,
        "policy_version": page.policy_version,
        "seed": page.seed,
        "log_offset": page.log_offset,
        "profiled": page.profiled,
        "level": page.level,
        "kept_from": page.kept_from,
    }
    return Why(
        shown=detail["outcome"] == "shown",
        page_id=page.page_id,
        sentences=tuple(sentences),
        detail={**detail, "page": facts},
    )


def _shown_detail(shown: PageItem) -> dict[str, object]:
    return {
        "outcome": "shown",
        "position": shown.position,
        "source": shown.source,
        "sources": list(shown.sources),
        "value": shown.value,
        "predicted": dict(shown.predicted),
        "propensity": shown.propensity,
        "explored": shown.explored,
        "because": list(shown.because),
        "notes": list(shown.notes),
    }


def _shown_sentences(
    page: ServedPage, shown: PageItem, titles: Titles, rules: Reasons
) -> list[str]:
    notes = dict(note.partition(":")[::2] for note in shown.notes)
    return [
        sentence
        for sentence in (
            _surface_words(page),
            _LEVEL_WORDS.get(page.level, ""),
            *_source_sentences(shown, titles),
            *_rule_sentences(notes, rules),
            _expected(shown.predicted),
            _by_chance(shown, notes),
            _moved(shown, notes),
            _LABEL_WORDS.get(notes.get("label", ""), ""),
        )
        if sentence
    ]


def _surface_words(page: ServedPage) -> str:
    if not page.profiled and page.surface != "latest":
        return "Personalisation is paused, so this page uses nothing of what you did."
    return _SURFACE_WORDS.get(page.surface, "")


def _source_sentences(shown: PageItem, titles: Titles) -> list[str]:
    named = [f"“{titles.get(item_id, item_id)}”" for item_id in shown.because]
    sentences = [SOURCE_WORDS.get(source, f"It came from {source}.") for source in shown.sources]
    if named:
        sentences.append(f"Of what you wanted lately, {' and '.join(named)} weighed most for it.")
    return sentences


def _rule_sentences(notes: Mapping[str, str], rules: Reasons) -> list[str]:
    named = [(words, rules.get(notes[name])) for name, words in RULE_NOTES.items() if name in notes]
    return [f"{words}: {reason}." if reason else f"{words}." for words, reason in named]


def _expected(predicted: Mapping[str, float]) -> str:
    if not predicted:
        return ""
    return (
        f"We expected that of 100 people like you {_in_100(predicted['p_click'])} would open it, "
        f"{_in_100(predicted['p_like'])} would like it, {_in_100(predicted['p_hide'])} would hide "
        f"it, and that you would spend about {predicted['dwell_ms'] / 1_000:.0f} seconds on it."
    )


def _in_100(p: float) -> str:
    return f"{100 * p:.0f}" if p >= 0.095 or p == 0 else f"{100 * p:.1f}"


def _by_chance(shown: PageItem, notes: Mapping[str, str]) -> str:
    if shown.explored:
        return (
            f"This place is kept for posts that few have seen; chance chose this one among "
            f"{notes.get('explored', 'several')}, with probability {shown.propensity:.2f}."
        )
    if "new_creator" in notes:
        return "This place is kept for creators whom few have met yet."
    return ""


def _moved(shown: PageItem, notes: Mapping[str, str]) -> str:
    rank = int(notes.get("value_rank", shown.position + 1))
    place = shown.position + 1
    given = shown.explored or "new_creator" in notes or "pinned" in notes
    if abs(rank - place) < _MOVED_FROM or given:
        return ""
    if rank < place:
        reason = _HELD_WORDS.get(notes.get("held", ""), "of the places kept for others")
        return (
            f"By value alone it would stand at place {rank}; it stands at {place}, since {reason}."
        )
    return (
        f"By value alone it would stand at place {rank}; it stands at {place}, since it is "
        f"different from the posts above it."
    )


def _removed_sentences(removed: RemovedItem) -> list[str]:
    words = REMOVED_WORDS.get(removed.reason, f"The stage {removed.stage} took it out.")
    return ["It was a candidate for this page but is not on it.", words]


def _removed_detail(removed: RemovedItem) -> dict[str, object]:
    return {"outcome": "removed", "stage": removed.stage, "reason": removed.reason}


def _reserved(page: ServedPage, item_id: ItemId) -> Why:
    beyond = page.reserve.index(item_id) + 1
    sentence = (
        f"It was a candidate for this page; {len(page.items)} others were placed before it, "
        f"and it was number {beyond} of those left for later."
    )
    return _why(page, [sentence], {"outcome": "reserve", "reserve_rank": beyond})


def _never(page: ServedPage) -> str:
    if page.level:
        return f"It was not among the candidates for this page. {_LEVEL_WORDS[page.level]}"
    if page.surface in ("following", "latest", "trending", "similar"):
        return f"It was not among the candidates for this page. {_SURFACE_WORDS[page.surface]}"
    return (
        "It was not among the candidates for this page: it was not near enough to your taste, not "
        "new or wanted enough, and not by a creator you follow, or the page's log has no room for "
        "it."
    )
