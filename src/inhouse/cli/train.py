"""inhouse train: learn everything the log holds, or a file of sequences, now."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.train_files import catalogue_with
from inhouse.cli.output import Json, console, print_json, progress_bar
from inhouse.core.errors import InputError
from inhouse.learning.allocator import keep_freed_memory
from inhouse.learning.causal_serving import Taught, write_causal
from inhouse.learning.fit_sequences import (
    Fitting,
    Progress,
    fit_sequences,
    fit_whole,
    training_for,
    whole_checkpoint,
)
from inhouse.learning.sequences import Catalogue, read_sequences
from inhouse.learning.train import train_once
from inhouse.learning.train_sequences import place, together


def train(
    sequences: Annotated[
        Path | None,
        typer.Option(help="file of sequences, a line a person or user,position,item; .gz or not"),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(help="file of items that --sequences names: .csv, .jsonl or .parquet"),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="where the model of --sequences goes")] = None,
    hold_out: Annotated[
        bool,
        typer.Option(
            "--hold-out", help="keep the last item of each from it, for `inhouse evaluate`"
        ),
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="at most, with --sequences")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="of everything random, with --sequences")] = 0,
    as_json: Json = False,
) -> None:
    """Train the taste model and the ranking head from the log, and publish what passes the gate.

    The learner of `inhouse up` does the same all the time; this is for imports and for machines
    that learn at night. Killed, it is simply run again.

    With --sequences a causal model is trained on that file alone and written to --to: first to find
    out how long, by the last item of each person, then as long on all of it. --hold-out keeps the
    last item out of both, to judge the model by it. With --items it learns what their titles,
    texts, topics, creators and vectors tell, so that those nobody had yet have a place too. Killed
    and run again, it goes on where it was. Several processes share the work under torchrun
    --no-python.
    """
    if sequences is None:
        _from_log(as_json)
    elif to is None:
        raise InputError("--sequences needs --to, the file that the model is written to")
    else:
        wanted = _Wanted(items=items, to=to, epochs=epochs, seed=seed, hold_out=hold_out)
        _from_file(sequences, wanted, as_json=as_json)


def _from_log(as_json: bool) -> None:
    with open_services() as services, progress_bar() as tell:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What is to come of a file of sequences."""

    items: Path | None  # what is known of them besides their ids
    to: Path
    epochs: int  # at most
    seed: int
    hold_out: bool  # keep each person's last item from it


def _from_file(path: Path, wanted: _Wanted, *, as_json: bool) -> None:
    keep_freed_memory()
    named = read_sequences(path)
    known = named.sequences.without_last(1) if wanted.hold_out else named.sequences
    training = training_for(known, len(named.items), wanted.seed)
    catalogue = (
        Catalogue.of_ids(named.items)
        if wanted.items is None
        else catalogue_with(wanted.items, named.items)
    )
    checkpoint = wanted.to.with_name(f"{wanted.to.name}.checkpoint")
    fitting = Fitting(most_epochs=wanted.epochs, checkpoint=checkpoint)
    with together(), progress_bar() as tell:

        def learned(progress: Progress) -> None:
            tell(str(progress), progress.step, progress.steps)

        _, fit = fit_sequences(known, catalogue, training, fitting, learned)
        fitting = replace(fitting, most_epochs=fit.best_epoch)
        weights = fit_whole(known, catalogue, training, fitting, learned)
        if place()[0] > 0:
            return
    taught = Taught(digest=named.digest(), held_back=wanted.hold_out, content=catalogue.content)
    write_causal(weights, wanted.to, taught)
    checkpoint.unlink(missing_ok=True)
    whole_checkpoint(checkpoint).unlink(missing_ok=True)
    if as_json:
        print_json(fit)
        return
    console.print(
        f"{len(named.users):,} people and {len(catalogue.item_ids):,} items; {len(fit.judged)}"
        f" epochs, the best was {fit.best_epoch} with NDCG@10 {fit.judged[fit.best_epoch - 1]:.4f}"
        f" on each person's last {'item but one' if wanted.hold_out else 'item'}, then trained as"
        f" long on that too; written to {wanted.to}"
    )
