"""inhouse train: learn everything the log holds, or a file of sequences, now."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.app.train_files import catalogue_with
from inhouse.cli.output import Json, console, print_json, progress_bar
from inhouse.core.allocator import keep_freed_memory
from inhouse.core.errors import InputError
from inhouse.learning.causal.fit import (
    Fitting,
    Progress,
    fit_sequences,
    fit_whole,
    training_for,
    whole_checkpoint,
)
from inhouse.learning.causal.serving import Taught, write_causal
from inhouse.learning.causal.steps import place, together
from inhouse.learning.causal_run.train import Workplace, train_causal
from inhouse.learning.sequences.flat import Catalogue, read_sequences
from inhouse.learning.training.train import train_once
from inhouse.stats.types import Interval, NotEnough

_CHECKPOINTS: Final = "causal"  # in the data folder, while a causal model is trained


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
    causal: Annotated[
        bool,
        typer.Option("--causal", help="train the causal model that may stand beside the taste"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train the taste model and the ranking head from the log, and publish what passes the gate.

    The learner of `inhouse up` does the same all the time; this is for imports and for machines
    that learn at night. Killed, it is simply run again.

    With --causal a causal model is trained on all that people wanted, in batch. It is published
    only where the taste model finds more of what people wanted next with it than without; the
    learner then takes it up within seconds, and so does a later `inhouse train`. Killed and run
    again, it goes on where it was.

    With --sequences a causal model is trained on that file alone and written to --to: first to find
    out how long, by the last item of each person, then as long on all of it. --hold-out keeps the
    last item out of both, to judge the model by it. With --items it learns what their titles,
    texts, topics, creators and vectors tell, so that those nobody had yet have a place too. Killed
    and run again, it goes on where it was. Several processes share the work under torchrun
    --no-python.
    """
    if causal and sequences is not None:
        raise InputError("--causal learns from the log and --sequences from a file; give one")
    if causal:
        _beside(as_json)
    elif sequences is None:
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


def _beside(as_json: bool) -> None:
    keep_freed_memory()
    with open_services() as services, progress_bar() as tell:
        workplace = Workplace(
            logs=services.logs,
            store=services.snapshots,
            clock=services.clock,
            folder=services.settings.folder / _CHECKPOINTS,
        )
        report = train_causal(workplace, services.settings.learning, tell)
    if as_json:
        print_json(report)
        return
    told, fit = report.comparison, report.fit
    console.print(
        f"{report.people:,} people wanted posts {report.wants:,} times, of {report.items:,};"
        f" {len(fit.judged)} epochs on the first nine tenths, the best was {fit.best_epoch}"
    )
    with_it, without = _share(told.both.hit_rate), _share(told.alone.hit_rate)
    console.print(
        f"of {told.asked:,} people, what they wanted next was among the best ten for {without} by"
        f" the taste model alone, for {with_it} with the causal one (weight {told.weight:g}):"
        f" {_range(told.gain.hit_rate)}"
    )
    if report.published is None:
        console.print("nothing published: the sum is not better for certain")
    else:
        console.print(
            f"trained on everything and published {report.published}; a running learner serves with"
            " it within seconds, else run `inhouse train`"
        )


def _share(found: float | NotEnough) -> str:
    return "unknown" if isinstance(found, NotEnough) else f"{found:.4f}"


def _range(found: Interval | NotEnough) -> str:
    if isinstance(found, NotEnough):
        return f"unknown: {found.reason}"
    return f"{found.estimate:+.4f}, in all likelihood {found.low:+.4f} to {found.high:+.4f}"


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
