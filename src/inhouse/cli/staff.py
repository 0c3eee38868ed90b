"""inhouse staff: who works in the console, and as what."""

from typing import Annotated

import typer

from inhouse.app.build import Services, open_services
from inhouse.app.staff.book import ONCE_FOR_MS
from inhouse.app.staff.types import ROLES
from inhouse.cli.audit import time_of
from inhouse.cli.output import Json, console, print_json, show
from inhouse.core.clock import DAY_MS

app = typer.Typer(no_args_is_help=True, help="Add, list, switch off and reset staff.")
Name = Annotated[str, typer.Argument(help="as `inhouse staff list` shows it")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="as decisions will be filed under it")],
    role: Annotated[str, typer.Option(help=f"one of {', '.join(ROLES)}")],
    as_json: Json = False,
) -> None:
    """Let somebody in. Prints a one-time password, which is shown once and stored as a hash; the
    first of the staff is an operator."""
    with open_services() as services:
        member, once = services.staff.add(name, role)
        _tell(services, member.name, once, as_json=as_json)


@app.command("list")
def list_staff(as_json: Json = False) -> None:
    """Show everybody, those who were erased, too; never a password."""
    with open_services() as services:
        found = services.staff.list()
    columns = (
        ("name", lambda m: m.name),
        ("role", lambda m: m.role),
        ("", lambda m: m.state),
        ("added", lambda m: time_of(m.created_ms)),
        ("changed", lambda m: time_of(m.changed_ms)),
        ("by", lambda m: m.changed_by),
    )
    show(found, columns, as_json=as_json)


@app.command()
def role(name: Name, wanted: Annotated[str, typer.Argument(help=", ".join(ROLES))]) -> None:
    """Give somebody another role; they sign in anew."""
    with open_services() as services:
        services.staff.set_role(name, wanted)
    console.print(f"{name}: {wanted}")


@app.command()
def off(name: Name) -> None:
    """Let somebody in no more. Their sessions end within two seconds; `reset` brings them back."""
    with open_services() as services:
        services.staff.off(name)
    console.print(f"{name} is switched off")


@app.command()
def reset(name: Name, as_json: Json = False) -> None:
    """Print a new one-time password. The old password and all sessions are void."""
    with open_services() as services:
        _tell(services, name, services.staff.reset(name), as_json=as_json)


@app.command()
def erase(name: Name) -> None:
    """Forget how somebody signed in. Their name stays, taken, with what they decided."""
    with open_services() as services:
        services.staff.erase(name)
    console.print(f"{name} is erased; decisions stay under the name")


def _tell(services: Services, name: str, once: str, *, as_json: bool) -> None:
    host, port = services.settings.console.host, services.settings.console.port
    if as_json:
        print_json({"name": name, "once": once})
        return
    console.print(f"[bold]{once}[/bold]", highlight=False)
    days = ONCE_FOR_MS // DAY_MS
    console.print(f"for {name}, once, within {days} days; shown only now", markup=False)
    console.print(f"sign in at http://{host}:{port}/login", markup=False, highlight=False)
