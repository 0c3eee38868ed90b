"""python -m inhouse.api.gateway: the role `gateway`, as so many processes as the settings say."""

import os
from typing import Final

from inhouse.api.gateway.serve import run_gateway
from inhouse.app.roles.supervisor import Program, Supervisor, on_signals
from inhouse.app.settings import Settings, load_settings
from inhouse.core.errors import InhouseError
from inhouse.core.logs import configure_logs, logger

_ONE_OF_MANY: Final = "INHOUSE_GATEWAY_PROCESS"


def main() -> None:
    """Serve, or keep those alive that do."""
    settings = load_settings()
    many = settings.api.gateway_workers > 1 and _ONE_OF_MANY not in os.environ
    configure_logs(role="supervisor" if many else "gateway", level=settings.app.log_level)
    if many:
        _keep(settings)
        return
    try:
        run_gateway(settings)
    except InhouseError as error:
        logger("api").error("gateway_not_started", kind=type(error).__name__, reason=str(error))
        raise SystemExit(1) from None


def _keep(settings: Settings) -> None:
    programs = [
        Program(
            name=f"gateway-{number}",
            arguments=("-m", "inhouse.api.gateway"),
            environment={_ONE_OF_MANY: str(number)},
        )
        for number in range(1, settings.api.gateway_workers + 1)
    ]
    supervisor = Supervisor(programs, {})
    on_signals(supervisor.stop)
    supervisor.start()
    supervisor.run()


if __name__ == "__main__":
    main()
