"""python -m inhouse.api.students: the role `students`."""

import uvicorn

from inhouse.api.students.server import create_students
from inhouse.app.roles.supervisor import stop_with_parent
from inhouse.app.settings import load_settings
from inhouse.app.student_door import HOST
from inhouse.core.logs import configure_logs, logger


def main() -> None:
    """Answer until told to stop."""
    settings = load_settings()
    configure_logs(role="students", level=settings.app.log_level)
    config = uvicorn.Config(
        create_students(settings),
        host=HOST,
        port=settings.models.students_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    stop_with_parent(stop)
    logger("students").info("role_ready")
    server.run()
    logger("students").info("role_stopped")


if __name__ == "__main__":
    main()
