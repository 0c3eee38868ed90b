"""Write the reference pages from the code; `--check` only compares."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.settings import SECTIONS, load_settings
from inhouse.cli.main import COMMANDS, command_line
from inhouse.core.settings import rows

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
_TABLE_HEAD = ("| parameter | default | what it is |", "| --- | --- | --- |")
_NOTE = "Made from the code by `make format`; `make check` fails when it is stale."


def settings_page() -> str:
    """Every setting, a table a package."""
    lines = [
        "# Settings",
        "",
        f"{_NOTE} A value comes from the environment variable, else from `inhouse.toml`",
        "(`[package]` sections, `name = value`), else it is the default. A community with a name",
        "has a file of its own: [communities](../guides/communities.md).",
    ]
    for package, table in SECTIONS.items():
        doc = (table.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## {package}", "", doc, ""]
        lines += ["| variable | default | unit | what it is |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{row.variable}` | {_shown(row.default)} | {row.unit} | {row.help} |"
            for row in rows(package, table)
        ]
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    return "empty" if default == "" else f"`{default}`"


def commands_page() -> str:
    """Every command with its help, as `--help` has it."""
    lines = ["# Commands", "", f"{_NOTE} Exit codes: 0 done, 1 it failed, 2 it was asked wrongly."]
    root = typer.main.get_command(command_line(tuple(COMMANDS)))
    lines += ["", "## Before any command", "", *_TABLE_HEAD, *_parameters(root)]
    for names, command in _walk(["inhouse"], root):
        lines += ["", f"## {' '.join(names)}", "", (command.help or "").strip(), ""]
        rows_ = list(_parameters(command))
        if rows_:
            lines += [*_TABLE_HEAD, *rows_]
    return "\n".join(lines) + "\n"


def _walk(names: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
    inner: dict[str, Any] = getattr(command, "commands", {})
    if not inner:
        yield names, command
    for name in sorted(inner):
        yield from _walk([*names, name], inner[name])


def _parameters(command: Any) -> Iterator[str]:
    for parameter in command.params:
        shown = getattr(parameter, "help", None) or ""
        is_option = parameter.param_type_name == "option"
        name = ", ".join(parameter.opts) if is_option else (parameter.name or "").upper()
        default = (
            ""
            if parameter.default in (None, False) or callable(parameter.default)
            else parameter.default
        )
        yield f"| `{name}` | {default} | {' '.join(shown.split())} |".replace("|  |", "| |")


def endpoints_page() -> str:
    """Every endpoint with its first line; the whole story is at `/docs` of a running server."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"INHOUSE_STORE_FOLDER": folder}, Path(folder) / "none.toml")
        services = Services(settings)
        document = create_app(services).openapi()
        services.close()
    lines = ["# Endpoints", "", f"{_NOTE} A running server shows schemas at `/docs`.", ""]
    lines += ["| method | path | what it does |", "| --- | --- | --- |"]
    for path, methods in sorted(document["paths"].items()):
        for method, facts in sorted(methods.items()):
            lines.append(f"| {method.upper()} | `{path}` | {_first_line(facts)} |")
    return "\n".join(lines) + "\n"


def _first_line(facts: dict[str, Any]) -> str:
    text = str(facts.get("description") or facts.get("summary") or "")
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "endpoints.md": endpoints_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are stale."""
    stale = []
    for name, make in PAGES.items():
        path, text = FOLDER / name, make()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if "--check" in arguments and stale:
        sys.stderr.write(f"stale: {', '.join(stale)} in docs/reference; run `make format`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
