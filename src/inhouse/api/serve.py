"""The role `api`: uvicorn around the app."""

import uvicorn
from fastapi import FastAPI

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.settings import Settings, load_settings
from inhouse.app.supervisor import stop_with_parent
from inhouse.core.logs import configure_logs


def run_api(settings: Settings) -> None:
    """Serve until told to stop; more than one worker share the port."""
    server = uvicorn.Config(
        "inhouse.api.serve:app_from_settings",
        factory=True,
        host=settings.api.host,
        port=settings.api.port,
        workers=settings.api.workers,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    if settings.api.workers > 1:
        uvicorn.run(
            "inhouse.api.serve:app_from_settings",
            factory=True,
            host=settings.api.host,
            port=settings.api.port,
            workers=settings.api.workers,
            log_config=None,
            access_log=False,
        )
        return
    running = uvicorn.Server(server)

    def stop() -> None:
        running.should_exit = True

    stop_with_parent(stop)
    running.run()


def app_from_settings() -> FastAPI:
    """What each uvicorn worker makes for itself."""
    settings = load_settings()
    configure_logs(role="api", level=settings.app.log_level)
    return create_app(Services(settings))
