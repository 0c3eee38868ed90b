"""The nouns of statements of reasons."""

from dataclasses import dataclass
from typing import Final, Literal

from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.policy.rights import Ground

# How something is restricted, in the law's sense. Several may hold at once.
Kind = Literal[
    "removed",  # a post shown to nobody
    "disabled",  # a post hidden until a person has looked at it
    "demoted",  # a post that is not recommended, or left out of some places
    "age_restricted",  # a post hidden from minors, or behind an age gate
    "labelled",  # a post shown behind a warning
    "account_limited",  # new posts of an account are not recommended
    "account_suspended",  # new posts of an account are hidden
]

# in_force; replaced: another decision on the same text; ended: the text was changed, or time is
# up; reversed: it should not have been.
State = Literal["in_force", "replaced", "ended", "reversed"]
Automated = Literal["fully", "partially", "not"]
Source = Literal["own", "report", "notice"]  # notice: Art. 16 DSA

# At least six months (Art. 20 DSA), and no six months are longer.
REDRESS_MS: Final = 184 * DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasons:
    """What a statement says; kept as JSON."""

    facts: str  # what was found and by what, without the post's words
    explanation: str  # why that is against the rules or the law
    ground: Ground  # terms or illegal
    ground_reference: str  # the rule of the policy, or the law
    automated_detection: bool  # whether a program noticed it
    automated_decision: Automated  # whether a program decided
    source: Source  # what brought it up
    redress: str  # how to object
    redress_until_ms: int  # until when
    dsa_category: str  # of the EU's database, without its prefix
    dsa_keyword: str | None  # its finer word
    content_kind: str  # text, picture, video
    content_ms: int  # when the post was made, 0 where that is not known
    language: str | None  # of the post
    until_ms: int | None = None  # when the restriction of an account ends by itself
    exempt: bool = False  # the law asks for no statement: deceptive high-volume advertising


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """Why something is restricted, for the person it concerns."""

    statement_id: str
    at_ms: int  # when the restriction took effect
    user_id: UserId  # whom it concerns: the post's author
    item_id: ItemId | None  # the post; None where the account is restricted
    text_key: str  # of the text that was judged; empty for an account
    kinds: tuple[Kind, ...]
    category: str  # of the policy
    decided_by: str  # `rule:NAME` or `person:NAME`
    policy_version: str
    reasons: Reasons
    state: State = "in_force"
    ended_ms: int | None = None  # since when it no longer holds
    exported_ms: int | None = None  # when it went into an export for the EU's database
