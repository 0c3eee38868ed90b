"""inhouse train: learn everything the log holds, now."""

from rich.progress import BarColumn, Progress, TextColumn

from inhouse.app.build import open_services
from inhouse.cli.output import Json, complaints, console, print_json
from inhouse.learning.train import train_once


def train(as_json: Json = False) -> None:
    """Train the taste model and the ranking head from the log, and publish what passes the gate.

    The learner of `inhouse up` does the same all the time; this is for imports and for machines
    that learn at night. Killed, it is simply run again.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    with (
        open_services() as services,
        Progress(*columns, console=complaints, transient=True) as bar,
    ):
        task = bar.add_task("log", total=1)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, 1))

        report = train_once(
            services.logs, services.snapshots, services.clock, services.settings.learning, tell
        )
    if as_json:
        print_json(report)
        return
    console.print(f"{report.events:,} events and {report.pages:,} pages read")
    if report.published is None:
        console.print("nothing published: too little to learn from, or nothing got better")
    else:
        console.print(f"published {report.published}; servers take it up within two seconds")
