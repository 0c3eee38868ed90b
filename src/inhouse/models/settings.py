"""Settings of model calls and of the way from rented to owned."""

from dataclasses import dataclass

from inhouse.core.settings import setting


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Vendors, patience, and when a model of one's own is good enough."""

    vendors: str = setting(
        "vendors.toml", unit="path", help="file that lists the rented models; may be absent"
    )
    tasks: str = setting(
        "tasks.toml", unit="path", help="file that declares tasks of one's own; may be absent"
    )
    timeout_ms: int = setting(
        15_000, unit="ms", help="longest wait for one request", least=100, most=600_000
    )
    deadline_ms: int = setting(
        45_000,
        unit="ms",
        help="longest wait for an answer, retries and fallbacks included",
        least=100,
        most=3_600_000,
    )
    hurry_ms: int = setting(
        5_000,
        unit="ms",
        help="longest wait for rented models where a model that runs here can answer instead",
        least=100,
        most=600_000,
    )
    in_flight: int = setting(
        8, unit="requests", help="most requests to models at the same time", least=1, most=512
    )
    drain_ms: int = setting(
        2_000,
        unit="ms",
        help="how long an answer is read on whose caller has left, for the usage at its end; "
        "0 lets the vendor go at once",
        least=0,
        most=60_000,
    )
    reserve_tokens_out: int = setting(
        16_384,
        unit="tokens",
        help="longest answer reckoned with where a call from a key with a budget names no most",
        least=1,
        most=10_000_000,
    )
    cache_mb: int = setting(
        64,
        unit="MB",
        help="memory of a process for answers that deployments with `cache_s` let it keep; 0 keeps "
        "none, whatever they say",
        least=0,
        most=100_000,
    )
    least_labels: int = setting(
        300, unit="labels", help="labelled texts before a model is trained", least=50
    )
    most_labels: int = setting(
        200_000, unit="labels", help="latest labelled texts a model is trained on", least=1_000
    )
    least_pairs: int = setting(
        100, unit="pairs", help="prompts with answers before a model of words is taught", least=10
    )
    most_pairs: int = setting(
        50_000, unit="pairs", help="latest prompts with answers it is taught", least=100
    )
    student_tokens: int = setting(
        2_048,
        unit="tokens",
        help="longest prompt with its answer that is taught; longer ones are left out",
        least=32,
        most=131_072,
    )
    student_rounds: int = setting(
        3, unit="rounds", help="over what a student is taught, at most", least=1, most=100
    )
    students_port: int = setting(
        8705,
        unit="port",
        help="where models trained here write and place texts, on this machine alone",
        least=1,
        most=65_535,
    )
    students_at_once: int = setting(
        16, unit="answers", help="a model writes together; more wait in line", least=1, most=256
    )
    students_waiting: int = setting(
        64, unit="answers", help="wait in line for a model; more are told 429", least=0, most=10_000
    )
    students_kept_mb: int = setting(
        2_048,
        unit="MB",
        help="a model that writes may keep of the texts it reads; bounds how long they can be",
        least=1,
        most=1_000_000,
    )
    flag_at: float = setting(
        0.5,
        unit="probability",
        help="from here on a category counts as found, when two models are compared",
        least=0.01,
        most=0.99,
    )
    least_agreement: float = setting(
        0.6,
        unit="kappa",
        help="agreement with the rented model that an owned one must show to serve; "
        "above 0.6 counts as substantial",
        least=0.2,
        most=0.99,
    )
    margin: float = setting(
        0.05,
        unit="share",
        help="how much less often than the rented model an owned one may be right",
        least=0.001,
        most=0.5,
    )
    judge_again_minutes: int = setting(
        10,
        unit="min",
        help="shortest time between two parity reports that the worker makes by itself, as people "
        "answer what the last one lacked",
        least=0,
        most=10_000,
    )
    watch_share: float = setting(
        0.02,
        unit="share",
        help="of the owned model's answers, how many the rented one is asked again to check",
        least=0.0,
        most=1.0,
    )
    drill_most_lost: float = setting(
        0.05,
        unit="share",
        help="of what is asked in a live drill, how much may go unanswered before it is ended",
        least=0.0,
        most=1.0,
    )
    drill_most_waiting: int = setting(
        500,
        unit="posts",
        help="how many posts may wait for a verdict before a live drill is ended",
        least=1,
    )
    without_terms: str = setting(
        "",
        unit="names",
        help="no model is trained on labels that came under these terms, separated by commas; "
        "`inhouse models terms` lists them",
    )
    pairs_days: int = setting(
        30,
        unit="days",
        help="so long what calls passed on asked and were answered is kept, where deployment and "
        "key allow it",
        least=1,
        most=3_650,
    )
    pairs_mb: int = setting(
        256,
        unit="MB",
        help="most of it that is kept; the oldest goes first",
        least=1,
        most=1_000_000,
    )
    labels_days: int = setting(
        0,
        unit="days",
        help="so long texts stay as labels; 0 as long as their posts do",
        least=0,
        most=36_500,
    )
    holdout_share: float = setting(
        0.01,
        unit="share",
        help="of what is judged, how much the rented model goes on answering for ever; the owned "
        "one is asked besides",
        least=0.0,
        most=0.5,
    )
    shadow_share: float = setting(
        1.0,
        unit="share",
        help="of the rented model's answers, how many the owned one is asked besides",
        least=0.0,
        most=1.0,
    )
    shadow_usd_a_day: float = setting(
        0.0,
        unit="USD",
        help="most spent a day (UTC) on asking rented models only to check; 0 sets no bound; with "
        "one, a deployment whose price is not known is not asked",
        least=0.0,
        most=1_000_000.0,
    )
    most_errors: float = setting(
        0.02,
        unit="share",
        help="of the requests to the owned model, how many may fail before it is rolled back",
        least=0.001,
        most=0.5,
    )
    most_latency_ms: int = setting(
        1_000,
        unit="ms",
        help="one request in twenty to the owned model may take longer before it is rolled back",
        least=1,
        most=600_000,
    )
    most_drift: float = setting(
        0.25,
        unit="PSI",
        help="how far the owned model's probabilities may move from those it was judged on before "
        "it is rolled back; above 0.25 counts as a large change",
        least=0.05,
        most=10.0,
    )


def names_in(listed: str) -> list[str]:
    """The names of a setting that lists some.

    >>> names_in("openai, mit,")
    ['openai', 'mit']
    """
    return [name.strip() for name in listed.split(",") if name.strip()]
