"""The nouns: labels and signals are written once, decisions are computed when read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, get_args

from inhouse.core.ids import ItemId, UserId

# From mild to severe; a code is the place in this ladder.
Action = Literal["allow", "limit", "warn", "age_gate", "review", "remove"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
CODES: Final[Mapping[str, int]] = MappingProxyType({name: i for i, name in enumerate(ACTIONS)})
AWAITING: Final = len(ACTIONS)  # the code of an item that nobody and nothing has judged yet

Surface = Literal["feed", "following", "search", "profile", "notification"]
SURFACES: Final[tuple[Surface, ...]] = get_args(Surface)
Viewer = Literal["adult", "minor", "unknown"]
ViewerClass = Literal["adult", "minor"]
VIEWER_CLASSES: Final[tuple[ViewerClass, ...]] = get_args(ViewerClass)

# Where a post with this action is still shown. `limit` is shown to those who asked for the
# creator or the words, never recommended; under review, removed and awaiting are shown nowhere.
_GATED: Final[frozenset[str]] = frozenset(("allow", "warn", "age_gate"))
SHOWN: Final[Mapping[Surface, frozenset[str]]] = MappingProxyType(
    {
        "feed": _GATED,
        "notification": _GATED,
        "following": _GATED | {"limit"},
        "search": _GATED | {"limit"},
        "profile": _GATED | {"limit"},
    }
)

# The one category that no policy may soften, and the signal of a post that is sealed for it.
CHILD_ABUSE: Final = "child_abuse"
SEALED: Final = "sealed"
_HASHES: Final = "hashes:"
_SURE: Final = 0.5

P_SCALE: Final = 10_000  # probabilities are kept to four decimals, so that 0.9 is exactly 0.9


def viewer_class(viewer: Viewer) -> ViewerClass:
    """Whose rules apply: somebody of unknown age is treated as a minor."""
    return "adult" if viewer == "adult" else "minor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What one source says of a post."""

    category: str  # of the policy: harassment, hate, …
    p: float  # probability that the post belongs to it, 0 to 1, four decimals
    source: str  # who says so: `model:VERSION`, `terms:BANK`, `hashes:BANK`

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise ValueError(f"p of {self.category} is {self.p}; expected 0 to 1")
        object.__setattr__(self, "p", round(self.p * P_SCALE) / P_SCALE)

    @property
    def is_seal(self) -> bool:
        """Whether a bank of hashes knows the post as sexual abuse of children."""
        return self.category == CHILD_ABUSE and self.source.startswith(_HASHES) and self.p >= _SURE


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A place in the original text that a signal points at, for highlighting."""

    signal: str  # terms.CATEGORY, links.CATEGORY, links, shorteners, emails, phones, cards
    start: int  # of the span in the original text, in characters
    end: int  # behind the last character
    detail: str  # the term, the domain, the kind of number; never the personal datum itself
    form: str = "plain"  # the normal form that showed it: plain, skeleton, leet, leet_alt


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonCall:
    """A person's decision in force; it beats every rule."""

    action: Action  # what was decided
    category: str | None  # why
    name: str  # by whom


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All that is known of a post and that a decision may rest on."""

    labels: tuple[Label, ...] = ()  # a category nobody spoke of has none
    signals: Mapping[str, int] = field(default_factory=dict)  # counts that are not zero
    person: PersonCall | None = None  # the person's decision in force

    @property
    def is_sealed(self) -> bool:
        """Whether nothing and nobody may show the post; see `moderation.recording.sealed`."""
        return SEALED in self.signals or any(label.is_seal for label in self.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaEvidence:
    """What a post's media adds to the evidence on it."""

    labels: tuple[Label, ...] = ()
    signals: Mapping[str, int] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()  # what tells that another post shows the same file


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do with a post for one viewer on one surface."""

    action: Action
    decided_by: str  # `rule:NAME`, `person:NAME` or `no rule`
    category: str | None  # of the rule or the person's call


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A row of the table of verdicts: the evidence on one text of one item."""

    item_id: ItemId  # whose text was judged
    at_ms: int  # when
    text_key: str  # of the text that was judged; see `catalog.types.text_key`
    evidence: Evidence  # what decisions are computed from
    hits: tuple[Hit, ...] = ()  # places to highlight
    decided_by: str  # who caused the row: the strictest rule that matched, or `person:NAME`
    policy_version: str  # the policy in force when it was written
    model_version: str | None = None  # the model that scored it; None where none did
    note: str | None = None  # a person's words on it
    reader_version: str | None = None  # of the term banks and the reader whose signals it holds
    removed_by: str | None = None  # the rule that removed it when it was judged: `judging.breaker`
    log_offset: int = 0  # place in the table; 0 before it is written


UNDO: Final = "undo"  # the action of a decision that takes another one back

CaseState = Literal["open", "closed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Something a person is asked to decide."""

    case_id: str
    item_id: ItemId  # what it is about; one open case an item
    queue: str  # the category it was opened for, `unscored`, or one that takes such cases
    reason: str  # what opened it, in words
    priority: float  # expected harm: see `reviewing.cases.priority`; highest first
    state: CaseState
    opened_ms: int
    locked_by: str | None = None  # the reviewer who has it on the table
    locked_until_ms: int | None = None  # from then on others may take it
    closed_ms: int | None = None
    taken_ms: int | None = None  # when whoever has it on the table took it


# What a reviewer's word does by itself.
Effect = Literal["in_force", "waits_for_second", "waits_for_third"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewDecision:
    """What a reviewer did with a case. Appended, never edited; an undo is a row of its own."""

    decision_id: str
    case_id: str
    item_id: ItemId
    reviewer: str  # by whom
    at_ms: int
    action: str  # an action of the ladder, or `undo`
    category: str | None  # what it violates; None where it is allowed
    note: str | None = None
    undoes: str | None = None  # the decision this one takes back
    bulk_id: str | None = None  # of the decision on many cases that it is part of
    took_ms: int | None = None  # from taking the case to deciding; None where nobody took it
    effect: Effect = "in_force"  # or, where two people must agree, whom it waits for


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A person's complaint about a post."""

    report_id: str
    at_ms: int
    item_id: ItemId
    reporter_id: UserId
    category: str  # of the policy, or `other`
    note: str | None = None  # the reporter's words
    case_id: str | None = None  # the open case it went into; None where a decision stands


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What somebody adds to a report who says that a post is against the law (Art. 16 DSA)."""

    illegal: bool = True  # whether a law is said to be broken, and not only the rules
    good_faith: bool = False  # whether they state that to their knowledge it is right and complete
    name: str | None = None  # not needed for sexual abuse of children
    email: str | None = None


ReportState = Literal["received", "decided"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportStatus:
    """What a reporter may ask of their report."""

    report_id: str
    at_ms: int  # when it was received
    item_id: ItemId
    category: str
    state: ReportState
    outcome: str | None  # action or none; None while nobody has decided
    words: str  # what the reporter is told
    decided_ms: int | None
    redress_until_ms: int | None  # until when they can object to `none`


AppealState = Literal["open", "upheld", "overturned"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Appeal:
    """An author's objection to a restriction, or a reporter's to there being none."""

    appeal_id: str
    item_id: ItemId
    user_id: UserId  # who objects
    at_ms: int
    words: str  # the objection
    state: AppealState
    decided_by: str | None = None  # never the person whose decision is appealed
    decided_ms: int | None = None
    answer: str | None = None  # what the person is told
    report_id: str | None = None  # the reporter's report; None where the author objects


def place(title: str, text: str, hit: Hit) -> tuple[Literal["title", "text"], int, int]:
    """The field a hit lies in, and its span there (cut where it crosses into the body). Hits point
    into `catalog.types.post_text`."""
    if not title:
        return "text", hit.start, hit.end
    if not text or hit.start < len(title):
        return "title", hit.start, min(hit.end, len(title))
    lead = len(title) + 2
    return "text", max(0, hit.start - lead), hit.end - lead
