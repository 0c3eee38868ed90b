"""Settings of the processes themselves, and the loading of everybody's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inhouse.core.settings import SettingRow, load, read_file, rows, setting
from inhouse.engine.settings import EngineSettings
from inhouse.learning.settings import LearningSettings
from inhouse.models.settings import ModelSettings
from inhouse.moderation.settings import ModerationSettings
from inhouse.recommend.settings import RecommendSettings
from inhouse.store.database import StoreSettings

SETTINGS_FILE: Final = "inhouse.toml"


@dataclass(frozen=True, kw_only=True)
class AppSettings:
    """How the processes run."""

    clock: str = setting(
        "system",
        unit="name",
        help="system, or log: time follows the latest event (replays, simulated communities)",
        choices=("system", "log"),
    )
    log_level: str = setting(
        "info",
        unit="name",
        help="least level logged",
        choices=("debug", "info", "warning", "error"),
    )
    follow_ms: int = setting(
        50,
        unit="ms",
        help="how often a server looks for other processes' news",
        least=10,
        most=5_000,
    )
    worker_pause_ms: int = setting(
        300, unit="ms", help="how long the worker rests when nothing waits", least=10, most=60_000
    )
    pages_days: int = setting(
        90,
        unit="days",
        help="so long served pages are kept, to explain them and to learn from them; 0 for ever",
        least=0,
        most=36_500,
    )
    learn_every_s: float = setting(
        0.5, unit="s", help="how often the learner looks for new behaviour", least=0.1, most=3_600
    )


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The HTTP server."""

    host: str = setting("127.0.0.1", unit="address", help="where the API listens")
    port: int = setting(8700, unit="port", help="where the API listens", least=0, most=65_535)
    workers: int = setting(1, unit="processes", help="API processes on one port", least=1, most=64)
    gateway_port: int = setting(
        8704, unit="port", help="where the role gateway listens", least=0, most=65_535
    )
    gateway_workers: int = setting(
        1, unit="processes", help="gateway processes on one port", least=1, most=64
    )
    most_body_bytes: int = setting(
        8_000_000, unit="bytes", help="largest request body", least=1_000, most=1_000_000_000
    )
    most_rows: int = setting(
        10_000, unit="rows", help="largest batch of items, users or events", least=1, most=1_000_000
    )
    feed_wait_ms: int = setting(
        50,
        unit="ms",
        help="wait of feed requests above which pages are made with less work (decision 16)",
        least=1,
        most=60_000,
    )
    most_asking: int = setting(
        128,
        unit="requests",
        help="requests in others' formats that ask models, worked on at once by a process, and "
        "calls passed on for each community; more are told 429",
        least=1,
        most=10_000,
    )
    languages: str = setting(
        "",
        unit="tags",
        help="languages that are answered in Perspective's format, as `en,pt-BR`; empty means all",
    )
    public_origin: str = setting(
        "", unit="URL", help="origin of a browser app that may call the API; empty allows none"
    )


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """The staff's pages and the reference feed page."""

    host: str = setting("127.0.0.1", unit="address", help="where the console listens")
    port: int = setting(8701, unit="port", help="where the console listens", least=0, most=65_535)
    password: str = setting(
        "",
        unit="text",
        help="asked once, of whoever makes themselves the first of the staff from elsewhere; "
        "empty lets only this machine do so",
    )
    session_hours: int = setting(
        12, unit="hours", help="after which staff sign in again", least=1, most=720
    )
    idle_minutes: int = setting(
        60,
        unit="minutes",
        help="without anything being done, after which staff sign in again",
        least=5,
        most=1_440,
    )


SECTIONS: Final[Mapping[str, type]] = {
    "store": StoreSettings,
    "app": AppSettings,
    "api": ApiSettings,
    "console": ConsoleSettings,
    "engine": EngineSettings,
    "recommend": RecommendSettings,
    "learning": LearningSettings,
    "moderation": ModerationSettings,
    "models": ModelSettings,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One table a package; each part receives only its own."""

    store: StoreSettings
    app: AppSettings
    api: ApiSettings
    console: ConsoleSettings
    engine: EngineSettings
    recommend: RecommendSettings
    learning: LearningSettings
    moderation: ModerationSettings
    models: ModelSettings
    community: str = ""  # whose settings these are; empty is the one without a name

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.store.folder)


def load_settings(
    environment: Mapping[str, str] | None = None, file: Path = Path(SETTINGS_FILE)
) -> Settings:
    """The installation's: from the environment, then `inhouse.toml`, then the defaults.

    They are those of the community without a name, and what named ones inherit. Raises
    SettingError.
    """
    given = os.environ if environment is None else environment
    sections = read_file(file)
    return Settings(
        store=load("store", StoreSettings, given, sections),
        app=load("app", AppSettings, given, sections),
        api=load("api", ApiSettings, given, sections),
        console=load("console", ConsoleSettings, given, sections),
        engine=load("engine", EngineSettings, given, sections),
        recommend=load("recommend", RecommendSettings, given, sections),
        learning=load("learning", LearningSettings, given, sections),
        moderation=load("moderation", ModerationSettings, given, sections),
        models=load("models", ModelSettings, given, sections),
    )


def all_rows() -> list[SettingRow]:
    """Every setting there is, package by package."""
    return [row for package, table in SECTIONS.items() for row in rows(package, table)]
