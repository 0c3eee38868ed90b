"""What the page of the policy shows: what is in force, since when, and what could be tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inhouse.app.build import Services
from inhouse.console.moments import community_now
from inhouse.console.words import moment
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.moderation.past.adoption import Adoption, adoptions
from inhouse.moderation.past.backtest import Backtest, Tell, backtest
from inhouse.moderation.past.rescan_job import Progress
from inhouse.moderation.past.shadow import ShadowReport, shadow_report
from inhouse.moderation.policy.parse import DEFAULT_POLICY, load_policy, policy_from
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.verdicts.history import Window

TYPED: Final = "typed"  # the choice of a policy that is pasted or dropped on the page
SHADOW_DAYS: Final = 7
SHADOW_POSTS: Final = 100_000
MOST_DAYS: Final = 3_650
_MOST_FILES: Final = 50
_FILE: Final = "file:"
_VERSION: Final = "version:"


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFacts:
    """What is in force and what becomes of it."""

    now_ms: int
    policy: Policy
    file: str  # it comes from; empty for the one in the package
    trouble: str | None  # why the file as it is now cannot be used
    adopted: tuple[Adoption, ...]  # what came into force, the newest first
    rescan: Progress | None  # the re-scan that moved last

    @property
    def is_settled(self) -> bool:
        """Whether the worker has taken this policy up."""
        return bool(self.adopted) and self.adopted[0].policy.version == self.policy.version


def gather_policy(services: Services) -> PolicyFacts:
    """What is in force now."""
    with services.database.read() as connection:
        adopted = tuple(adoptions(connection))
    return PolicyFacts(
        now_ms=community_now(services),
        policy=services.policy,
        file=services.settings.moderation.policy,
        trouble=services.rules_watch.trouble,
        adopted=adopted,
        rescan=services.rescan.latest(),
    )


def gather_shadow(services: Services) -> ShadowReport:
    """What rules in shadow would have done lately."""
    now_ms = community_now(services)
    window = Window(since_ms=max(0, now_ms - SHADOW_DAYS * DAY_MS), newest=SHADOW_POSTS)
    return shadow_report(services.database, services.policy, window)


def choices(services: Services) -> Mapping[str, str]:
    """What may be tried, by key: a text, the files beside the policy's, earlier policies."""
    found = {TYPED: "a file or text from here"}
    file = services.settings.moderation.policy
    if file:
        beside = sorted(p for p in Path(file).parent.glob("*") if p.suffix in (".yaml", ".yml"))
        found |= {f"{_FILE}{path}": path.name for path in beside[:_MOST_FILES]}
    else:
        found[f"{_FILE}{DEFAULT_POLICY}"] = "the default policy"
    with services.database.read() as connection:
        for adoption in adoptions(connection):
            version = adoption.policy.version
            since = f"{version}, in force from {moment(adoption.at_ms)}"
            found.setdefault(f"{_VERSION}{version}", since)
    return found


def policy_of(services: Services, choice: str, typed: str) -> Policy:
    """The policy of a choice. Raises InputError or SettingError with every fault."""
    if choice == TYPED:
        if not typed.strip():
            raise InputError("nothing to try; paste a policy, drop its file here, or choose one")
        return policy_from(typed)
    if choice not in choices(services):
        raise InputError(f"{choice[:80]!r} is not there any more; choose again")
    if choice.startswith(_FILE):
        return load_policy(Path(choice.removeprefix(_FILE)))
    version = choice.removeprefix(_VERSION)
    with services.database.read() as connection:
        found = [a.policy for a in adoptions(connection) if a.policy.version == version]
    return found[0]


def try_policy(services: Services, policy: Policy, days: int, tell: Tell) -> Backtest:
    """What it would change of the posts judged in so many days."""
    if not 1 <= days <= MOST_DAYS:
        raise InputError(f"days is {days}; expected 1 to {MOST_DAYS}")
    since_ms = max(0, community_now(services) - days * DAY_MS)
    window = Window(since_ms=since_ms, newest=None)
    return backtest(services.database, services.policy, policy, window, tell)
