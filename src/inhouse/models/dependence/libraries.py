"""What inhouse itself depends on: its own libraries, and what would stop without each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires
from types import MappingProxyType
from typing import Final

_DISTRIBUTION: Final = "inhouse"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST: Final = 60
_MAKERS: Final = ("Author", "Maintainer", "Author-email", "Maintainer-email")


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What a library is there for."""

    gateway: bool  # calls to models go through it
    stops: str  # what stops without it


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """A library that inhouse declares it needs."""

    name: str
    version: str | None  # that is installed; None where it is not
    licence: str  # as it says itself; empty where it does not
    by: str  # who makes it, as it says itself
    gateway: bool  # calls to models go through it
    stops: str  # what stops without it


def _through(stops: str) -> Use:
    return Use(gateway=True, stops=stops)


def _beside(stops: str) -> Use:
    return Use(gateway=False, stops=stops)


USES: Final[Mapping[str, Use]] = MappingProxyType(
    {
        "aiohttp": _through("every call to a rented model"),
        "alembic": _beside("upgrades of the database's tables"),
        "av": _beside("frames of videos, held against banks"),
        "cryptography": _beside("the vault of sealed posts"),
        "fastapi": _through("the HTTP API; the gateway's fast lane passes it by"),
        "genai-prices": _through("prices of models without a contract: they become unpriced"),
        "google-re2": _beside("patterns in term banks and policies"),
        "httptools": _through("reading HTTP requests fast"),
        "msgspec": _through("reading and writing JSON, everywhere"),
        "nicegui": _beside("the console's pages"),
        "numba": _beside("the feed's search and the trainers' tables"),
        "numpy": _beside("every model of one's own"),
        "pillow": _beside("pictures, held against banks"),
        "polars": _beside("imports and replays of behaviour"),
        "prometheus-client": _through("/metrics"),
        "pyarrow": _beside("Parquet files of imports and benchmarks"),
        "pydantic": _through("the API's description"),
        "pyyaml": _beside("policies and term banks in YAML"),
        "rich": _beside("tables on the command line"),
        "safetensors": _beside("models' weights on disk"),
        "scipy": _beside("intervals, and fitting the owned text model"),
        "sqlalchemy": _through("the ledger, budgets and everything else that is stored"),
        "structlog": _through("logs"),
        "torch": _beside("training; serving goes on"),
        "typer": _beside("the command line"),
        "uvicorn": _through("the HTTP server"),
        "uvloop": _through("a third of the gateway's speed; asyncio's own loop stands in"),
        "zstandard": _beside("the log of pages, which are kept small"),
    }
)
_UNTOLD: Final = Use(gateway=False, stops="not written down; see models/dependence/libraries.py")


def libraries() -> tuple[Library, ...]:
    """The libraries that are declared for every installation; the gateway's first."""
    declared = [one for one in requires(_DISTRIBUTION) or () if "extra ==" not in one]
    names = sorted({found[0].lower() for one in declared if (found := _NAME.match(one))})
    told = [_library(name) for name in names]
    return tuple(sorted(told, key=lambda one: (not one.gateway, one.name)))


def _library(name: str) -> Library:
    use = USES.get(name, _UNTOLD)
    try:
        told = distribution(name)
    except PackageNotFoundError:
        return Library(
            name=name, version=None, licence="", by="", gateway=use.gateway, stops=use.stops
        )
    said = told.metadata.get_all
    classified = [
        line.rpartition("::")[2].strip()
        for line in said("Classifier") or ()
        if line.startswith("License ::")
    ]
    licence = said("License-Expression") or [", ".join(classified)]
    if not licence[0]:
        licence = said("License") or [""]
    by = next((found for name in _MAKERS if (found := said(name))), [""])
    return Library(
        name=name,
        version=told.version,
        licence=_short(licence[0]),
        by=_short(re.sub(r"\s*<[^>]*>", "", by[0])),
        gateway=use.gateway,
        stops=use.stops,
    )


def _short(text: str) -> str:
    """The first line, cut: some packages give the whole licence."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
