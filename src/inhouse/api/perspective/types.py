"""Bodies as the Perspective API has them; the names are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """What is to be judged."""

    text: str
    type: str = "PLAIN_TEXT"  # or HTML


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """How an attribute is wanted."""

    scoreType: str = "PROBABILITY"  # no other is known
    scoreThreshold: float = 0.0  # what scores less is left out


@dataclass(frozen=True, kw_only=True, slots=True)
class AnalyzeRequest:
    """A comment and what is asked of it. Its `context` is passed over, as there."""

    comment: Comment
    requestedAttributes: Mapping[str, Wanted]
    languages: list[str] = field(default_factory=list)  # of the comment; the first counts
    spanAnnotations: bool = False  # whether each sentence gets scores of its own
    doNotStore: bool = False  # whether no model may learn of the comment
    dropUnsupportedAttributes: bool = False  # whether to leave out what nobody here can tell
    clientToken: str = ""  # comes back as it is
    sessionId: str = ""
    communityId: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A number."""

    value: float
    type: str = "PROBABILITY"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanScore:
    """A number for a part of the text as it was sent, in characters."""

    begin: int
    end: int  # behind the last one
    score: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeScores:
    """What is told of one attribute."""

    spanScores: list[SpanScore]
    summaryScore: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class AnalyzeAnswer:
    """What is told of a comment."""

    attributeScores: dict[str, AttributeScores]
    languages: list[str]  # as they were given; none is guessed
    clientToken: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggested:
    """What a client thinks of an attribute; scores of spans are passed over."""

    summaryScore: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class SuggestRequest:
    """A comment and what its scores should be."""

    comment: Comment
    attributeScores: Mapping[str, Suggested]
    languages: list[str] = field(default_factory=list)
    doNotStore: bool = False  # then nothing is learned from it
    communityId: str = ""  # who says so; else the key's id
    clientToken: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuggestAnswer:
    """The suggestion is kept, or was not to be."""

    clientToken: str
    requestedLanguages: list[str]
