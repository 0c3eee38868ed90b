"""The nouns of model calls: tasks, deployments, what was asked, answered, paid and learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal, get_args

from inhouse.core.errors import VendorError

Scores = Mapping[str, float]  # category -> probability; a category nobody spoke of is absent
Layer = Literal["host", "owner"]  # who runs a model; who made it
Role = Literal["primary", "fallback", "shadow", "escalation"]
# Their answers are no further inputs answered: somebody else answered, or answers, the same text.
ASKED_BESIDES: Final[tuple[Role, ...]] = ("shadow", "escalation")
# What a model trained here is: words with weights; an encoder with a head for each category; an
# encoder whose vectors are the answer; a language model.
Student = Literal["words", "encoder", "vectors", "causal"]
Stage = Literal["rented", "shadow", "ramp1", "ramp5", "ramp25", "ramp50", "owned"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
Dialect = Literal["openai", "moderations", "azure", "hugging_face"]
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)
HUGGING_FACE: Final[Dialect] = "hugging_face"
# What a deployment may be asked for: judging texts for our tasks; calls that are passed on.
Service = Literal["scores", "chat", "embeddings"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

# What became of one request to one deployment.
Outcome = Literal[
    "ok",  # every input has scores
    "content_filter",  # the vendor's filter refused the text: evidence, not a failure
    "bad_answer",  # 200, but not the JSON that was asked for
    "rate_limited",  # 429
    "server_error",  # 5xx
    "timeout",  # no answer in time
    "unreachable",  # no connection
    "denied",  # 401, 403: the key or the account
    "refused",  # another 4xx: this request will never be accepted
    "broken",  # the answer began and did not come to its end
    "aborted",  # the caller went away
]
RETRYABLE: Final[frozenset[Outcome]] = frozenset(
    ("bad_answer", "rate_limited", "server_error", "timeout", "unreachable")
)
# The deployment answered, and understood: nothing bad is said of its health, nobody else is asked.
USABLE: Final[frozenset[Outcome]] = frozenset(("ok", "content_filter", "refused"))

INHOUSE: Final = "inhouse"  # host and owner of the models trained here
# What a task's answer is.
Kind = Literal[
    "labels",  # a probability for each category
    "score",  # one number from 0 to 1, under the task's own name
    "embedding",  # a vector
    "text",  # words
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
JUDGING: Final[tuple[Kind, ...]] = ("labels", "score")  # asked for through `Gateway.ask`

LOCAL: Final = "local"  # host of models that others made and this machine runs
# The names that stand for a route's own models among its deployments.
OWNED: Final = "owned"  # the one that is routed
INCUMBENT: Final = "incumbent"  # the one that it is to replace
OURS: Final = frozenset((OWNED, INCUMBENT))


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Something asked of a model, the same whoever answers."""

    name: str  # in the ledger, in routes and in labels
    kind: Kind  # what its answer is
    categories: tuple[str, ...]  # in a fixed order; a score's one is its name, else none
    instructions: str  # what a language model is told of a judgement; names every category
    stand_ins: tuple[str, ...] = ()  # deployments that answer calls for it while nobody here does

    @property
    def judges(self) -> bool:
        """Whether it is asked for through `Gateway.ask`; else by calls that are passed on."""
        return self.kind in JUDGING


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskInput:
    """One text to be judged."""

    ref: str  # what it belongs to, such as an item id; decides the share it falls into
    text: str  # the words themselves; never logged
    picture: str = ""  # in the place of words: its address, or `data:` with the picture itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How a question is dealt with."""

    keep_texts: bool = True  # whether what rented models say of the texts may become labels
    durable: bool = True  # whether rows are on disk before the answer is given, else soon after
    aside: bool = False  # nobody is served: every row is a shadow's, nothing is compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a vendor says a request consumed, in tokens."""

    tokens_in: int  # prompt, the cached ones included
    tokens_cached: int = 0  # of which read from the vendor's cache
    tokens_out: int = 0  # completion, reasoning included
    tokens_reasoning: int = 0  # of the completion, thought and not shown
    tokens_audio_in: int = 0  # of the prompt, sound
    tokens_audio_out: int = 0  # of the completion, sound


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractPrice:
    """What the operator really pays for a deployment, per million tokens."""

    in_usd_per_mtok: Decimal  # fresh prompt tokens
    cached_usd_per_mtok: Decimal  # prompt tokens read from the cache
    out_usd_per_mtok: Decimal  # completion tokens
    request_usd: Decimal = Decimal(0)  # on top, per request


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A model at an address. Whoever runs it and whoever made it are separate layers."""

    name: str  # how routes call it
    host: str  # who runs it: openai, azure, inhouse
    owner: str  # who made the model: openai, meta, inhouse
    model: str  # the vendor's name for it; on Azure the deployment's name
    dialect: Dialect = "openai"  # how it is spoken to
    url: str = ""  # base address, without the last path
    key: str = field(default="", repr=False)  # secret; empty where none is wanted
    api_version: str = ""  # Azure's older addresses need one; empty means its v1 address
    omit: tuple[str, ...] = ()  # fields of the request body that this model refuses
    labels: Mapping[str, str] = field(default_factory=dict)  # of a checkpoint -> our categories
    serves: tuple[Service, ...] = ("scores",)  # what it may be asked for
    stand_ins: tuple[str, ...] = ()  # deployments asked in turn where it fails to pass a call on
    cache_s: int = 0  # how long answers to calls passed on are kept for the same call; 0 never
    cache_any: bool = False  # whether those too that depend on chance
    moderate: str = ""  # task by whose owned model chats with it are judged; empty: they are not
    batch: int = 8  # most texts in one request
    price_as: str = ""  # provider/model in the price list, where host/model is not its name
    contract: ContractPrice | None = None  # beats the price list
    terms: str = ""  # under which its answers came, as `models.harvest.terms` calls them
    harvest: bool = True  # whether its answers are kept as labels
    simulated: bool = False  # a stand-in that charges nobody
    retires: date | None = None  # the last day on which the vendor offers the model
    pictures: bool = False  # whether it is asked about pictures too; dialect moderations alone
    keep_calls: bool = False  # whether calls passed on may be kept, where their key agrees too


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderAnswer:
    """One request to a deployment and what came back."""

    refs: tuple[str, ...]  # the inputs it carried
    scores: tuple[Scores, ...] | None  # for each of them; None where the request failed
    outcome: Outcome
    latency_ms: float  # from sending to the last byte
    usage: Usage | None = None  # None where the vendor did not say
    retry_after_ms: int | None = None  # the vendor's wish
    spillover: str | None = None  # the deployment that really answered, where the vendor moved it


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A row of the ledger: one request to one deployment, whatever became of it."""

    call_id: str  # the question it belongs to; retries, fallbacks and shadows share it
    at_ms: int  # when, by the community's clock
    task: str
    role: Role
    deployment: str  # name of the deployment
    host: str
    owner: str
    model: str
    inputs: int  # texts it carried
    answered: int  # of which got scores
    usage: Usage | None  # None where the vendor did not say
    cost_usd: Decimal | None  # None where it cannot be known; never a guess
    price_version: str | None  # where the price comes from
    latency_ms: float
    outcome: Outcome
    simulated: bool  # no money changed hands
    spillover: str | None = None  # see ProviderAnswer
    saved_usd: Decimal | None = None  # what an answer from the cache cost when it was asked for
    key_id: str | None = None  # the API key whose call it was; None where inhouse asked by itself
    estimate_usd: Decimal | None = None  # about what it cost, where `cost_usd` cannot be known


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the caller gets for one input."""

    ref: str  # of the input
    scores: Scores  # a category the model did not speak of is absent
    model: str
    host: str
    owner: str
    simulated: bool  # answered by a stand-in
    cost_usd: Decimal | None  # this input's part of the request that answered it; None unknown
    call_id: str
    latency_ms: float  # of that request
    filtered: bool = False  # the scores are the evidence of a vendor's content filter


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """Probabilities at which a model is unsure."""

    low: float  # from here
    high: float  # to before here


@dataclass(frozen=True, kw_only=True, slots=True)
class Cascade:
    """When a rented model is asked again, after the owned one."""

    version: str  # of the owned model; with another one the bands mean nothing
    bands: Mapping[str, Band]  # by category; within any of them the rented model is asked
    guarantee: str  # in words, for people


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Who answers a task at the moment."""

    task: str
    stage: Stage
    primary: str | None  # deployment asked first; None where no vendor is configured
    fallbacks: tuple[str, ...] = ()  # asked in turn when it fails; the owned model comes last
    owned: str | None = None  # version of the model trained here; None while there is none
    owned_share: float = 0.0  # of the inputs, answered by it
    shadow_share: float = 0.0  # of the inputs answered by the primary, also asked of the owned one
    watch_share: float = 0.0  # of the inputs answered by the owned one, also asked of the primary
    rejected: tuple[str, ...] = ()  # versions that failed on live traffic, not to be tried again
    cascade: Cascade | None = None  # which of the owned model's answers are asked again
    held_by: str | None = None  # who keeps it from going forwards: cutover, person:NAME, nobody
    # The version that `owned` is to replace, and that serves until it has; None on a first way.
    incumbent: str | None = None
    incumbent_share: float = 0.0  # of the inputs, answered by it or by `owned`

    @property
    def has_arrived(self) -> bool:
        """Whether the task runs on models of one's own, be it while one replaces another."""
        return self.stage == "owned" or self.incumbent is not None

    @property
    def relied_on(self) -> str | None:
        """The version that has shown most: the one in force while another is on its way."""
        return self.incumbent or self.owned

    def bands_of(self, version: str) -> Mapping[str, Band]:
        """The bands of the cascade that hold for a version; none without a vendor."""
        if self.cascade is None or self.primary is None or self.cascade.version != version:
            return {}
        return self.cascade.bands


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What somebody said of a text: a rented model, or a person."""

    task: str
    ref: str  # what the text belongs to
    text: str  # the words that were judged
    scores: Scores  # a person's are 0 or 1; absent is unknown
    source: str  # host/owner/model, or person:NAME
    terms: str  # under which it may be used
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryMetrics:
    """How well one category is told, on labels the model has not seen."""

    positives: int  # held-out labels that say yes
    negatives: int  # held-out labels that say no
    auprc: float | None  # area under precision and recall; None where one side is missing
    recall_at_1pct_fpr: float | None  # found while one in a hundred harmless is flagged
    ece: float | None  # expected calibration error


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """Who taught a model, and under which terms."""

    source: str  # as labels name it
    terms: str  # as `models.harvest.terms` calls them
    labels: int  # how many


@dataclass(frozen=True, kw_only=True, slots=True)
class StratumCount:
    """Texts of one kind on each side of a data set."""

    label: str  # categories that were found, joined by `+`, or `none`
    language: str  # two letters, or `unknown`
    source: str  # the strongest word on them: `person`, a rented model, a bank
    train: int
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFacts:
    """What a data set is made of, without a word of it."""

    train: int  # texts, the earliest
    validation: int
    test: int  # the latest
    copies: int  # texts that stood there already, letter by letter in normal form
    seen_before: int  # later texts left out: an earlier side has nearly the same
    from_ms: int  # when the first was judged; 0 where there is none
    until_ms: int  # when the last was
    teachers: tuple[Teacher, ...]
    strata: tuple[StratumCount, ...]
    sha256: str  # of what is to be learned, in order: the same data have the same


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """What a trained model is made of and how good it is."""

    version: str  # task and digest of the weights
    task: str
    created_ms: int
    categories: tuple[str, ...]  # that it learned; the others had too few labels
    trained_on: int  # texts
    positives: Mapping[str, int]  # texts that say yes, by category
    negatives: Mapping[str, int]  # texts that say no, by category
    sources: Mapping[str, int]  # labels by source
    terms: Mapping[str, int]  # labels by the terms they came under
    metrics: Mapping[str, CategoryMetrics]  # on the held-out, later labels
    sha256: str  # of the weights file; of the list of files where it is a folder of them
    features: int  # version of the feature hashing it needs; 0 where it needs none
    student: Student = "words"  # what it is
    method: str = "fitted"  # how it was taught: fitted, heads, full, lora, mapped or as it is
    base: str = ""  # the model it began as; empty where it began from nothing
    base_terms: str = ""  # the licence of that model, by which the weights are bound too
    files: Mapping[str, str] = field(default_factory=dict)  # of its folder, each with its sha256
    held_out: "HeldOut | None" = None  # of what writes or places texts, how good it is
    teachers: tuple[Teacher, ...] = ()  # who taught it; empty on cards from before they were noted
    data: DataFacts | None = None  # what it was trained and judged on; None on such cards
    labels: int = 0  # that there were for the task when it was trained

    @property
    def bound_by(self) -> tuple[str, ...]:
        """All terms that its weights are bound by: of the labels, and of the model it began as."""
        return tuple(sorted({*self.terms, self.base_terms} - {""}))


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """How a model compares with the one it began as, on the latest pairs, which taught neither."""

    measure: Literal["loss", "cosine"]  # nats a token of the answer; likeness to the wanted vector
    pairs: int
    before: float | None  # of the model it began as; None where that cannot be compared
    after: float


class UnansweredError(VendorError):
    """Some inputs got no answer from anybody. What was answered, and paid for, is not lost."""

    def __init__(self, message: str, *, answered: Sequence[Answer], missing: Sequence[str]) -> None:
        super().__init__(message)
        self.answered = tuple(answered)  # in the order of the inputs
        self.missing = tuple(missing)  # refs without an answer
