"""The role `console`: pages for staff and the reference feed page, behind one door."""

import logging
import time
import warnings

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from nicegui import ui
from starlette.staticfiles import StaticFiles

from inhouse.app.build import Services
from inhouse.app.heads import BoundedHeads
from inhouse.app.heeding import heed_beside
from inhouse.app.roles.supervisor import stop_with_parent
from inhouse.app.settings import Settings
from inhouse.console import missing
from inhouse.console.access import Door, cookie_of
from inhouse.console.assets import ASSETS, PATH
from inhouse.console.bill import dependence_view
from inhouse.console.bill import view as bill_view
from inhouse.console.feed_page import feed_router
from inhouse.console.gate import gate_messages, ticket_of_page
from inhouse.console.guard import Guard
from inhouse.console.login import login_router
from inhouse.console.moderation import (
    appeals_view,
    banks_view,
    bulk_view,
    figures_view,
    policy_view,
    queues_view,
    sealed_view,
)
from inhouse.console.moderation import view as moderation_view
from inhouse.console.moderation.media import media_router
from inhouse.console.overview import view as overview_view
from inhouse.console.person import view as person_view
from inhouse.console.person.asking import export_router
from inhouse.console.private import feed_key
from inhouse.console.staff import view as staff_view
from inhouse.core.logs import logger

# Scripts inline and `new Function` are NiceGUI's; nothing may come from, or go to, elsewhere,
# except the pictures of posts.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' "
    "'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' http: https: data:; "
    "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_GRACE_S = 2


def run_console(settings: Settings) -> None:
    """Serve until told to stop."""
    _quiet()
    services = Services(settings)
    app = create_console(services)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.console.host,
            port=settings.console.port,
            http=BoundedHeads,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )

    def stop() -> None:
        server.should_exit = True

    stop_with_parent(stop)
    heeding = heed_beside(services)
    logger("console").info("role_ready", port=settings.console.port)
    server.run()
    heeding.set()
    services.close()
    logger("console").info("role_stopped")


def create_console(services: Services) -> FastAPI:
    """The app around the parts of one community; there can be one a process."""
    settings = services.settings
    door = Door(
        password=settings.console.password,
        cookie=cookie_of(settings.community),
        listens_on=settings.console.host,
        ticket_of_page=ticket_of_page,
    )
    app = FastAPI(title="inhouse console", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount(PATH, StaticFiles(directory=ASSETS))
    app.include_router(login_router(door, services.staff, services.staff_sessions, time.monotonic))
    app.include_router(feed_router(services, feed_key(services.keys, settings.folder)))
    app.include_router(export_router(services))
    app.include_router(media_router(services))
    app.add_api_route("/healthz", _alive, include_in_schema=False)
    for view in (
        overview_view,
        person_view,
        moderation_view,
        bulk_view,
        appeals_view,
        queues_view,
        policy_view,
        banks_view,
        sealed_view,
        figures_view,
        bill_view,
        dependence_view,
        staff_view,
    ):
        view.register(services)
    missing.register()
    ui.run_with(
        app,
        title=settings.community or "inhouse",
        favicon=ASSETS / "mark.svg",
        dark=None,
        tailwind=False,
        show_welcome_message=False,
    )
    gate_messages(door.cookie)
    app.add_middleware(Guard, door=door, book=services.staff_sessions, headers=HEADERS)
    return app


def _alive() -> JSONResponse:
    return JSONResponse({"ok": True})


def _quiet() -> None:
    """Faults are logged; what libraries merely remark is not."""
    for name in ("nicegui", "uvicorn", "websockets", "socketio", "engineio"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore", DeprecationWarning)
