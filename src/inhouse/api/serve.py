"""The role `api`: a server around the app."""

from inhouse.api.listening import serve, server_of
from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.compiling import compile_apart
from inhouse.app.hub import Hub
from inhouse.app.roles.standby import Standbys
from inhouse.app.roles.supervisor import wait_for_promotion
from inhouse.app.settings import ApiSettings, Settings


def run_api(settings: Settings) -> None:
    """Serve until told to stop. More than one process share the port."""
    compile_apart()
    server = server_of(create_app(Hub(Services(settings))))
    serve(server, *_where(settings.api))


def stand_by(settings: Settings) -> None:
    """Keep the states ready and serve when called to; end when the supervisor is gone."""
    compile_apart()
    hub = Hub(Services(settings))
    server = server_of(create_app(hub))
    standbys = Standbys(hub)
    standbys.start()
    if wait_for_promotion():
        standbys.take_over()
        serve(server, *_where(settings.api))


def _where(settings: ApiSettings) -> tuple[str, int, int]:
    return settings.host, settings.port, settings.workers
