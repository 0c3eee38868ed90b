"""Terms: what models may be trained on somebody's answers, and whether the weights may leave.

A label names the terms it came under with their version, so that later terms change nothing about
it. This is what the documents say as we read them, and no legal advice: ask a lawyer before weights
leave. Whatever is not in the table is unknown, and what is unknown allows nothing.

    trains   `anything`; `classifiers`: models that answer with labels, scores or embeddings and
             write no text; `nothing`
    leaves   whether weights may be given to others: sold, published, or installed elsewhere
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from inhouse.core.faults import did_you_mean

Trains = Literal["anything", "classifiers", "nothing"]
# What a student answers with: what writes text competes with whoever sells models that write.
StudentKind = Literal["classifier", "text"]

OWN: Final = "own"
SIMULATED: Final = "simulated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What one version of an agreement or a licence says of training."""

    name: str  # as labels carry it, with its version
    title: str  # of the document
    clause: str  # where it says so
    version: str  # its date or number; empty where there is no document
    source: str  # where it can be read; empty where there is no document
    trains: Trains  # on answers or data that came under it
    leaves: bool  # whether weights so trained may be given to others
    why: str  # in words
    duty: str = field(default="")  # what goes along with weights that leave, in words

    def may_train(self, kind: StudentKind) -> bool:
        """Whether a student of that kind may be trained for one's own use."""
        return self.trains == "anything" or (self.trains == "classifiers" and kind == "classifier")


UNKNOWN: Final = Terms(
    name="unknown",
    title="terms that nobody has named",
    clause="none is known",
    version="",
    source="",
    trains="nothing",
    leaves=False,
    why="what is not known to be allowed is taken as forbidden",
)


def _licence(name: str, title: str, source: str, *, duty: str = "") -> Terms:
    """A licence that leaves one free to train and to pass weights on."""
    version = name.rpartition("-")[2]
    return Terms(
        name=name,
        title=title,
        clause="the grant",
        version=version if version[:1].isdigit() else "",
        source=source,
        trains="anything",
        leaves=True,
        why="the licence puts no bound on what is trained",
        duty=duty,
    )


_TABLE: Final = (
    Terms(
        name=OWN,
        title="what the operator's own people decided",
        clause="none is needed",
        version="",
        source="",
        trains="anything",
        leaves=True,
        why="nobody else has a say in it",
    ),
    Terms(
        name=SIMULATED,
        title="a stand-in that plays a vendor",
        clause="none is needed",
        version="",
        source="",
        trains="anything",
        leaves=True,
        why="no vendor said it",
    ),
    Terms(
        name="contract-own-use",
        title="an agreement of your own that allows training for your own use",
        clause="as agreed",
        version="",
        source="",
        trains="anything",
        leaves=False,
        why="you said so in vendors.toml; weights stay where you use them",
    ),
    Terms(
        name="contract-free",
        title="an agreement of your own that allows training and passing weights on",
        clause="as agreed",
        version="",
        source="",
        trains="anything",
        leaves=True,
        why="you said so in vendors.toml",
    ),
    Terms(
        name="openai-2026-01-01",
        title="OpenAI Services Agreement",
        clause="3.3(e) and its Permitted Exception",
        version="2026-01-01",
        source="https://openai.com/policies/services-agreement",
        trains="classifiers",
        leaves=False,
        why="output may not be used to develop competing models; excepted are classifiers and "
        "embeddings that are not distributed or made commercially available to others",
    ),
    Terms(
        name="anthropic-2025-06-17",
        title="Anthropic Commercial Terms of Service",
        clause="D.4",
        version="2025-06-17",
        source="https://www.anthropic.com/legal/commercial-terms",
        trains="nothing",
        leaves=False,
        why="no competing product may be built, which takes in training competing models, and no "
        "exception is made for classifiers; whether yours competes is for a lawyer to say",
    ),
    Terms(
        name="gemini-2025-05-20",
        title="Gemini API Additional Terms of Service",
        clause="Use Restrictions",
        version="2025-05-20",
        source="https://ai.google.dev/gemini-api/terms",
        trains="nothing",
        leaves=False,
        why="no models may be developed that compete with the services, and no exception is made "
        "for classifiers; whether yours competes is for a lawyer to say",
    ),
    Terms(
        name="azure-unread",
        title="Microsoft Product Terms, of Azure OpenAI",
        clause="not read by us",
        version="",
        source="https://www.microsoft.com/licensing/terms",
        trains="nothing",
        leaves=False,
        why="what they say of training has not been checked; once somebody has read them for you, "
        "name what they allow (`contract-own-use`, say)",
    ),
    _licence("apache-2.0", "Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    _licence("mit", "MIT License", "https://opensource.org/license/mit"),
    _licence("cc0-1.0", "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    _licence(
        "cc-by-4.0",
        "Creative Commons Attribution 4.0",
        "https://creativecommons.org/licenses/by/4.0/",
        duty="name whoever made the data, and the licence",
    ),
    _licence(
        "odc-by-1.0",
        "Open Data Commons Attribution 1.0",
        "https://opendatacommons.org/licenses/by/1-0/",
        duty="name whoever made the data, and the licence",
    ),
    _licence(
        "cc-by-sa-4.0",
        "Creative Commons Attribution-ShareAlike 4.0",
        "https://creativecommons.org/licenses/by-sa/4.0/",
        duty="name whoever made the data; pass on under the same licence what counts as adapted "
        "from it, which weights may or may not",
    ),
    Terms(
        name="cc-by-nc-4.0",
        title="Creative Commons Attribution-NonCommercial 4.0",
        clause="2(a)(1): for NonCommercial purposes only",
        version="4.0",
        source="https://creativecommons.org/licenses/by-nc/4.0/",
        trains="nothing",
        leaves=False,
        why="a platform that earns money is a commercial use",
    ),
    UNKNOWN,
)
KNOWN: Final[Mapping[str, Terms]] = {terms.name: terms for terms in _TABLE}
# What a name without a version means: the newest one. Labels carry the whole name.
_NEWEST: Final[Mapping[str, str]] = {
    "openai": "openai-2026-01-01",
    "anthropic": "anthropic-2025-06-17",
    "gemini": "gemini-2025-05-20",
    "google": "gemini-2025-05-20",
    "azure": "azure-unread",
}
NAMES: Final = (*KNOWN, *_NEWEST)


def terms_of(name: str) -> Terms:
    """The terms of a label; unknown where the table has none of that name.

    >>> terms_of("openai-2026-01-01").leaves, terms_of("whatever").name
    (False, 'unknown')
    """
    return KNOWN.get(name, UNKNOWN)


def full_name(name: str) -> str | None:
    """A name with its version; None where nothing is called so.

    >>> full_name("openai"), full_name("mit"), full_name("opanai")
    ('openai-2026-01-01', 'mit', None)
    """
    name = _NEWEST.get(name, name)
    return name if name in KNOWN else None


def default_terms(host: str, owner: str) -> str:
    """The terms of a deployment that names none: its vendor's, where whoever runs the model also
    made it. Who else runs a model has terms of their own, and weights that somebody runs have a
    licence: neither is known by the name.

    >>> default_terms("openai", "openai"), default_terms("azure", "openai")
    ('openai-2026-01-01', 'azure-unread')
    >>> default_terms("our-gpu", "openai")
    'unknown'
    """
    vendor = host if host in ("azure", owner) else ""
    return _NEWEST.get(vendor, UNKNOWN.name)


def hint(name: str) -> str:
    """What may have been meant."""
    return f"a name of `inhouse models terms`: {did_you_mean(name, NAMES)}"
