"""inhouse keys: make, list and revoke API keys."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.keys import SCOPES
from inhouse.app.revoking import keep_no_calls
from inhouse.app.revoking import revoke as revoke_key
from inhouse.cli.output import Json, console, print_json, show
from inhouse.core.errors import InputError
from inhouse.models.bounds.budgets import PERIODS
from inhouse.models.bounds.limits import RateLimit

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="what the key is for, as lists will show it")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"what it may do, repeatable; all by default: {', '.join(SCOPES)}"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once and stored as a hash."""
    with open_services() as services:
        key, secret = services.keys.create(name, scope or list(SCOPES))
    if as_json:
        print_json({"key_id": key.key_id, "secret": secret, "scopes": sorted(key.scopes)})
        return
    console.print(f"[bold]{secret}[/bold]")
    console.print(f"{key.key_id} {name!r}, may: {', '.join(sorted(key.scopes))}; shown only now")


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Show every key, newest first; never the secrets."""
    with open_services() as services:
        keys = services.keys.list()
    columns = (
        ("key", lambda k: k.key_id),
        ("name", lambda k: k.name),
        ("may", lambda k: ", ".join(sorted(k.scopes))),
        ("its calls are", lambda k: "kept to learn from" if k.keeps_calls else "not kept"),
        ("revoked", lambda k: "no" if k.revoked_ms is None else "yes"),
    )
    show(keys, columns, as_json=as_json)


@app.command()
def budget(
    key_id: Annotated[str, typer.Argument(help="as `inhouse keys list` shows it")],
    usd: Annotated[str, typer.Option(help="dollars that calls passed on may cost; `none` ends it")],
    every: Annotated[str, typer.Option(help=f"one of {', '.join(PERIODS)}, in UTC")] = "month",
) -> None:
    """Bound what a key may spend on calls that are passed on to rented models."""
    with open_services() as services:
        if usd == "none":
            services.budgets.remove(key_id)
            console.print(f"{key_id} has no budget")
            return
        period = next((p for p in PERIODS if p == every), None)
        if period is None:
            raise InputError(f"every: got {every!r}, expected one of {', '.join(PERIODS)}")
        services.budgets.set(key_id, _dollars(usd), period)
    console.print(f"{key_id} may spend {usd} dollars, period: {every}")


def _dollars(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InputError(f"usd: got {text[:40]!r}, expected an amount such as 20.50") from None


@app.command()
def budgets(as_json: Json = False) -> None:
    """What keys may spend, and have spent in the present period."""
    with open_services() as services:
        found = services.budgets.all()
    columns = (
        ("key", lambda b: b.key_id),
        ("every", lambda b: b.period),
        ("dollars", lambda b: f"{b.limit_usd:.2f}"),
        ("spent", lambda b: f"{b.spent_usd:.6f}"),
        ("held for calls under way", lambda b: f"{b.held_usd:.6f}"),
    )
    show(found, columns, as_json=as_json)


@app.command()
def limit(
    key_id: Annotated[str, typer.Argument(help="as `inhouse keys list` shows it")],
    requests_a_minute: Annotated[
        int | None, typer.Option(help="calls that are passed on in any minute")
    ] = None,
    tokens_a_minute: Annotated[
        int | None, typer.Option(help="tokens, in and out together, in any minute")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="end the key's limits")] = False,
) -> None:
    """Bound how often a key may have calls passed on to rented models. What is not named has no
    bound; a change holds in every process within two seconds."""
    with open_services() as services:
        if none:
            if requests_a_minute is not None or tokens_a_minute is not None:
                raise InputError("--none ends the limits; leave the numbers out")
            services.limits.remove(key_id)
            console.print(f"{key_id} has no rate limit")
            return
        found = services.limits.set(key_id, requests_a_minute, tokens_a_minute)
    console.print(f"{key_id} may use {_bounds(found)} a minute")


def _bounds(limit: RateLimit) -> str:
    parts = ((limit.requests, "calls"), (limit.tokens, "tokens"))
    return ", ".join(f"{number:,} {name}" for number, name in parts if number is not None)


@app.command()
def limits(as_json: Json = False) -> None:
    """How often keys may have calls passed on."""
    with open_services() as services:
        found = services.limits.all()
    columns = (
        ("key", lambda one: one.key_id),
        ("calls a minute", lambda one: "" if one.requests is None else f"{one.requests:,}"),
        ("tokens a minute", lambda one: "" if one.tokens is None else f"{one.tokens:,}"),
    )
    show(found, columns, as_json=as_json)


@app.command()
def keep(
    key_id: Annotated[str, typer.Argument(help="as `inhouse keys list` shows it")],
    off: Annotated[
        bool, typer.Option("--off", help="no longer; what was kept stays for its days")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="with --off: what was kept goes at once")
    ] = False,
) -> None:
    """Keep what chat calls passed on with a key ask and are answered, to learn from: where
    `keep_calls` of the deployment says so too, without personal data, for `pairs_days`. Asking
    whoever's words these are is up to you."""
    if forget and not off:
        raise InputError("--forget goes with --off; calls cannot be kept and forgotten")
    with open_services() as services:
        if off:
            gone = keep_no_calls(services, key_id, forget=forget)
            console.print(f"calls of {key_id} are not kept any more{_forgotten(gone, forget)}")
            return
        services.keys.keep_calls(key_id, keep=True)
        days = services.settings.models.pairs_days
    console.print(
        f"calls of {key_id} are kept for {days:,} days, in every process within two seconds"
    )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="as `inhouse keys list` shows it")],
    forget: Annotated[
        bool, typer.Option("--forget", help="what was kept of its calls goes at once, too")
    ] = False,
) -> None:
    """Make a key void, in every process within two seconds. Its budget and limits end, and answers
    kept in memory of its calls are given to nobody any more."""
    with open_services() as services:
        gone = revoke_key(services, key_id, forget=forget)
    console.print(f"{key_id} is void{_forgotten(gone, forget)}")


def _forgotten(gone: int, forget: bool) -> str:
    return f", and {gone:,} that were kept are gone" if forget else ""
