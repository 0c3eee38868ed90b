"""A console with all that it has, for tests over HTTP. The framework allows one a process."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from nicegui import app as pages

from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.console.serve import create_console


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The console of an empty community."""

    app: FastAPI
    services: Services

    def addresses(self) -> set[tuple[str, str]]:
        """Every method and address that it answers to, but for the framework's own."""
        return {one for one in _routes([*self.app.routes, *pages.routes]) if _is_ours(one[1])}


def _routes(routes: Iterable[object]) -> Iterator[tuple[str, str]]:
    for route in routes:
        yield from _routes(getattr(getattr(route, "original_router", None), "routes", ()))
        for method in getattr(route, "methods", None) or ():
            yield method, re.sub(r"{[^}]*}", "x", getattr(route, "path", ""))


def _is_ours(path: str) -> bool:
    return not path.startswith("/_nicegui")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """One for all tests of a process."""
    folder = tmp_path_factory.mktemp("whole")
    environment = {"INHOUSE_STORE_FOLDER": str(folder / "data")}
    services = Services(load_settings(environment, folder / "none.toml"))
    yield Whole(app=create_console(services), services=services)
    services.close()
