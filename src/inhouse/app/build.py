"""The only place that builds objects from settings: every part of a process, made on first use."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import Connection

from inhouse.app.communities import chosen_settings
from inhouse.app.feeds.decisions import BoardKeeper
from inhouse.app.feeds.reach import StateReach
from inhouse.app.feeds.serving import FeedService
from inhouse.app.ingest import Batch, RowReader
from inhouse.app.parts import Closing, Parts
from inhouse.app.scoring import RouteScorer
from inhouse.app.settings import Settings
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, User
from inhouse.core.clock import DAY_MS, SystemClock
from inhouse.core.errors import Fault
from inhouse.core.ids import EventId
from inhouse.engagement.experiments.store import Experiments
from inhouse.engine.choose import open_executor
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog
from inhouse.events.types import Event
from inhouse.events.validate import fault_of
from inhouse.features import checkpoint
from inhouse.features.follow import Follower
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.models.asking.fleet import Fleet, open_fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.cutover.routes import Routes
from inhouse.models.drill.watch import DrillWatch
from inhouse.models.owned.registry import Registry
from inhouse.models.passing.guard import Guard
from inhouse.models.providers.faults import Switch
from inhouse.models.types import Manner
from inhouse.moderation.complaints.appeals import Appeals
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.judging.judge import TextJudge
from inhouse.moderation.judging.reading import SpreadReader
from inhouse.moderation.judging.scan import Moderator
from inhouse.moderation.judging.scorer import GatewayLooker
from inhouse.moderation.measuring.prevalence import PrevalenceReport, prevalence
from inhouse.moderation.media.asked import PictureJudge, within_bounds
from inhouse.moderation.media.banks import HashBanks
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.reading import FetchingReader, Judging, MediaReading
from inhouse.moderation.media.rescan import MediaRescan
from inhouse.moderation.media.stored import StoredMedia
from inhouse.moderation.past.adoption import taken_up_last
from inhouse.moderation.past.refresh import Refresher
from inhouse.moderation.past.rescan import Changed, Rescan
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.audit import Audit
from inhouse.moderation.recording.record import follow_policy
from inhouse.moderation.recording.sealed import SealedItems
from inhouse.moderation.reviewing.bulk import Bulks
from inhouse.moderation.reviewing.context import CaseContext, ContextReader, Earlier
from inhouse.moderation.reviewing.gold import Gold
from inhouse.moderation.reviewing.queues import ReviewQueues
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.reviewing.reviewers import Reviewers
from inhouse.moderation.sealing.sealed_calls import seal_now
from inhouse.moderation.sealing.vault import Vault
from inhouse.moderation.statements.book import Statements
from inhouse.moderation.statements.strikes import Strikes
from inhouse.moderation.tools import Rules, Tools, load_rules, vault_of
from inhouse.moderation.types import CHILD_ABUSE, Case, Notice, Report
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.moderation.verdicts.rows import Verdicts
from inhouse.moderation.watching import RulesWatch
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.rules.book import RuleBook
from inhouse.recommend.warm import warm_up

if TYPE_CHECKING:
    from inhouse.engagement.metrics import Metrics

CHECKPOINT: Final = "state.bin"
_MADE_TERMS: Final = "terms"  # folder of compiled term banks whose own cannot be written
_MADE_OF_POLICY: Final = ("hash_banks", "queues", "gold")  # made anew where another is used
_WORTH_SPREADING: Final = 10_000  # texts: starting the workers takes about two seconds


class Services(Parts):
    """All parts of one community in one process, those of `Parts` among them."""

    starts_anyway = True  # by the rules of before, where the files have a fault

    def catch_clock_up(self) -> None:
        """Where time follows the log: hear of the latest event and post."""
        if self.settings.app.clock == "log":
            self.clock.advance(max(self.log.last_at_ms(), self.catalog.latest_item_ms()))

    def close(self) -> None:
        """Finish what waits to be written and let go of the database."""
        for reads_files in {"media", "picture_judge"} & self.__dict__.keys():
            getattr(self, reads_files).close()
        super().close()

    # What lies in the store

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.database)

    @cached_property
    def log(self) -> EventLog:
        return EventLog(self.database)

    @cached_property
    def pages(self) -> PageLog:
        return PageLog(self.database)

    @cached_property
    def logs(self) -> Logs:
        return Logs(catalog=self.catalog, events=self.log, pages=self.pages)

    # Feeds

    @property
    def policy(self) -> Policy:
        """The moderation policy that this process works by."""
        return self.rules.policy

    @cached_property
    def rules_watch(self) -> RulesWatch:
        return RulesWatch(
            self.settings.moderation,
            partial(load_rules, kept=self.settings.folder / _MADE_TERMS),
            before=self.rules_of_before if self.starts_anyway else lambda: None,
        )

    def rules_of_before(self) -> Rules | None:
        """For whoever starts while the files have a fault; None where none were ever taken up."""
        kept = self.settings.folder / _MADE_TERMS
        return taken_up_last(self.database, self.settings.moderation, kept)

    @cached_property
    def rules(self) -> Rules:
        """Policy and term banks that this process works by, until `heed_rules` takes up others."""
        return self.rules_watch.rules

    def heed_rules(self) -> bool:
        """Take up a changed policy and changed term banks, if there are any; for whoever runs for
        long to call every second. What is being decided meanwhile is decided by either."""
        fresh = self.rules_watch.look()
        if fresh is not None:
            self.use_rules(fresh)
        return fresh is not None

    def use_rules(self, rules: Rules) -> None:
        """Work by these from now on."""
        made = self.__dict__
        made["rules"] = rules
        for name, part in list(made.items()):
            if isinstance(part, Tools):
                made[name] = replace(part, rules=rules)
            elif isinstance(getattr(part, "tools", None), Tools):
                part.tools = replace(part.tools, rules=rules)
        for name in _MADE_OF_POLICY:
            made.pop(name, None)
        if "board" in made:
            self.board.adopt(rules.policy)

    @cached_property
    def snapshots(self) -> SnapshotStore:
        return SnapshotStore(
            self.settings.folder / "snapshots", kept=self.settings.learning.snapshots_kept
        )

    @cached_property
    def checkpoint_path(self) -> Path:
        """Where the learner keeps the state for whoever starts next."""
        return self.settings.folder / CHECKPOINT

    @cached_property
    def state(self) -> LiveState:
        """From the latest checkpoint, or empty; the follower brings it up to now."""
        found = checkpoint.load(self.checkpoint_path)
        if found is None or found.log_offset > self.log.last_offset():
            return LiveState()
        return found

    @cached_property
    def board(self) -> DecisionBoard:
        return DecisionBoard(self.policy)

    @cached_property
    def feeds(self) -> FeedService:
        warm_up()
        keeper = BoardKeeper(self.board, self.state.items, self.verdicts)
        feed = Feed(self.state, self.board, self.settings.recommend)
        feed.obey(self.feed_rules)
        return FeedService(
            feed,
            Follower(self.state, self.logs, self.clock, keeper),
            self.pages,
            self.experiments,
            self.snapshots,
            self.clock,
        )

    @cached_property
    def feed_rules(self) -> RuleBook:
        return RuleBook(self.database)

    # Engagement

    @cached_property
    def experiments(self) -> Experiments:
        return Experiments(self.database)

    @cached_property
    def metrics(self) -> "Metrics":
        # Brings the data frames, 13 MB that feeds do without.
        from inhouse.engagement.metrics import Metrics  # noqa: PLC0415

        return Metrics(self.database, self.settings.folder)

    # Models

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.database, self.settings.folder / "models")

    @cached_property
    def fleet(self) -> Fleet:
        return open_fleet(self.deployments, self.registry, self.tasks, self.drills)

    @cached_property
    def drills(self) -> DrillWatch:
        """Which vendors are cut off on purpose, and what is seen meanwhile."""
        return DrillWatch(self.database, self.gateway_with, self.settings.models.flag_at)

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway(self.database, self.clock, self.fleet, self.settings.models)

    def gateway_with(self, switch: Switch) -> Gateway:
        """A gateway beside the one that serves, whose vendors that switch may cut."""
        fleet = open_fleet(self.deployments, self.registry, self.tasks, switch)
        return Gateway(self.database, self.clock, fleet, self.settings.models)

    @cached_property
    def guard(self) -> Guard:
        """With the models that the gateway has loaded already."""
        flag_at = self.settings.models.flag_at
        return Guard(self.fleet, self.routes, self.stores, self.clock, flag_at)

    @property
    def on_the_loop(self) -> list[Closing]:
        held: list[Closing] = [self.gateway] if "gateway" in self.__dict__ else []
        return [*held, *super().on_the_loop]

    @cached_property
    def routes(self) -> Routes:
        return Routes(self.database, self.fleet.vendors)

    # Moderation

    @cached_property
    def verdicts(self) -> Verdicts:
        return Verdicts(self.database)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.database)

    @cached_property
    def statements(self) -> Statements:
        return Statements(self.database)

    @cached_property
    def tools(self) -> Tools:
        """What moderation works with in a serving process, where reach is known."""
        reach = StateReach(self.state)
        return Tools(
            rules=self.rules, settings=self.settings.moderation, reach=reach, vault=self.vault
        )

    @cached_property
    def vault(self) -> Vault:
        return vault_of(self.settings.moderation, self.settings.folder)

    @cached_property
    def sealed(self) -> SealedItems:
        return SealedItems(self.database, self.clock, self.tools)

    @cached_property
    def scorer(self) -> RouteScorer:
        return RouteScorer(self.gateway)

    @cached_property
    def work_tools(self) -> Tools:
        """For the worker, which holds no state: a post just made has reached nobody."""
        return Tools(rules=self.rules, settings=self.settings.moderation, vault=self.vault)

    @cached_property
    def moderator(self) -> Moderator:
        moderator = Moderator(self.database, self.clock, self.scorer, self.work_tools)
        moderator.media = StoredMedia(self.database, self.known_hashes, self.is_media_wanted)
        return moderator

    @cached_property
    def refresher(self) -> Refresher:
        return Refresher(self.catalog, self.clock, self.scorer, self.work_tools)

    @cached_property
    def rescan(self) -> Rescan:
        rescan = Rescan(self.database, self.clock, self.work_tools, self.refresher)
        rescan.subscribe(self._tell_authors)
        return rescan

    def _tell_authors(self, connection: Connection, changed: Sequence[Changed]) -> None:
        decided = {one.item_id: one.after for one in changed}
        follow_policy(connection, decided, self.policy, self.clock.now_ms())

    @cached_property
    def hash_banks(self) -> HashBanks:
        return HashBanks(self.database, {*self.policy.categories, CHILD_ABUSE})

    @cached_property
    def known_hashes(self) -> KnownHashes:
        return KnownHashes(self.database, self.settings.folder / "hashes")

    @cached_property
    def media(self) -> MediaReading:
        """For the worker: reads what posts show."""
        settings = self.settings.moderation
        judging = Judging(
            is_wanted=self.is_media_wanted,
            known=self.known_hashes,
            rejudge=self.media_rescan.rejudge,
        )
        return MediaReading(self.database, FetchingReader(settings), settings, judging)

    @cached_property
    def media_rescan(self) -> MediaRescan:
        return MediaRescan(self.database, self.clock, self.known_hashes, self.work_tools)

    def is_media_wanted(self) -> bool:
        """Whether media that nobody has read yet is to be (the setting `media`)."""
        wanted = self.settings.moderation.media
        return wanted == "always" or (wanted == "banks" and self.known_hashes.are_there())

    @cached_property
    def judge(self) -> TextJudge:
        """For texts from outside that belong to no post."""
        scorer = RouteScorer(self.gateway, Manner(durable=False))
        return TextJudge(scorer, self.work_tools)

    @cached_property
    def forgetful_judge(self) -> TextJudge:
        """The same for texts that must not be kept."""
        scorer = RouteScorer(self.gateway, Manner(durable=False, keep_texts=False))
        return TextJudge(scorer, self.work_tools)

    @cached_property
    def picture_judge(self) -> PictureJudge:
        """For pictures from outside that belong to no post."""
        settings = self.settings.moderation
        files = FetchingReader(within_bounds(settings))
        known = self.known_hashes if settings.media != "never" else None
        seal = partial(seal_now, self.database, self.vault, self.clock)
        return PictureJudge(files, known, seal, GatewayLooker(self.gateway))

    @contextmanager
    def many_readers(self) -> Iterator[None]:
        """While it lasts, the moderator reads on the executor, if enough waits to be worth it."""
        if self.moderator.backlog() < _WORTH_SPREADING:
            yield
            return
        executor = open_executor(self.settings.engine)
        self.moderator.reader = SpreadReader(executor, self.settings.moderation)
        try:
            yield
        finally:
            self.moderator.reader = None
            executor.close()

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.database, self.clock, self.tools)

    @cached_property
    def review(self) -> Review:
        return Review(self.database, self.clock, self.tools)

    def prevalence(self, sample_id: str | None = None) -> PrevalenceReport:
        """How much of each category there is, by a random sample; the latest if none is named."""
        return prevalence(self.database, sample_id)

    @cached_property
    def strikes(self) -> Strikes:
        return Strikes(self.database, self.clock, self.tools)

    @cached_property
    def bulks(self) -> Bulks:
        return Bulks(self.database, self.clock, self.tools)

    @cached_property
    def queues(self) -> ReviewQueues:
        return ReviewQueues(self.database, self.clock, self.policy.categories)

    @cached_property
    def reviewers(self) -> Reviewers:
        return Reviewers(self.database, self.clock)

    def around(self, case: Case) -> CaseContext:
        """A case with all around it that is no secret to whoever decides it."""
        said = self.review.opinions(case.case_id)
        opinions = [
            Earlier(
                at_ms=one.at_ms,
                reviewer=one.reviewer,
                action=one.action,
                category=one.category,
                note=one.note,
            )
            for one in said
        ]
        return ContextReader(self.database, self.policy, self.strikes).around(case, opinions)

    @cached_property
    def gold(self) -> Gold:
        return Gold(self.database, self.clock, self.policy)

    @cached_property
    def appeals(self) -> Appeals:
        return Appeals(self.database, self.clock, self.tools)

    def file_report(
        self,
        item_id: str,
        reporter_id: str,
        category: str,
        note: str | None,
        notice: Notice | None = None,
    ) -> Report:
        """Keep a report; it is something the person did, so the event log hears of it too."""
        report = self.reports.file(item_id, reporter_id, category, note, notice)
        event = Event(
            event_id=EventId(report.report_id),
            at_ms=report.at_ms,
            kind="report",
            user_id=report.reporter_id,
            item_id=report.item_id,
        )
        self.log.append([event])
        return report

    # Rows from outside

    @cached_property
    def item_rows(self) -> RowReader[Item]:
        return RowReader("items", Item, self.settings.api.most_rows)

    @cached_property
    def user_rows(self) -> RowReader[User]:
        return RowReader("users", User, self.settings.api.most_rows)

    @cached_property
    def event_rows(self) -> RowReader[Event]:
        return RowReader("events", Event, self.settings.api.most_rows)

    def read_events(self, body: bytes) -> Batch[Event]:
        """Sort a body of events; an item that another process took in just now is known too."""
        batch = self.event_rows.read(body, self._event_fault)
        if any(rejected.field == "item_id" for rejected in batch.rejected):
            self.feeds.follower.catch_up()
            batch = self.event_rows.read(body, self._event_fault)
        return batch

    def _event_fault(self, event: Event) -> Fault | None:
        return fault_of(event, self.state.items.index.__contains__, self._latest_ms())

    def _latest_ms(self) -> int:
        """A sender's clock may run a day ahead; where time follows the log there is no bound."""
        if self.settings.app.clock == "log":
            return 1 << 53
        return SystemClock().now_ms() + DAY_MS


@contextmanager
def open_services(settings: Settings | None = None) -> Iterator[Services]:
    """Services for one command, of the community it was told to be about; closed at its end."""
    services = Services(settings or chosen_settings())
    services.starts_anyway = False  # whoever typed it can mend the file
    try:
        yield services
    finally:
        services.close()
