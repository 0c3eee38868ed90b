"""inhouse evaluate: how good the predictions were that were served, or a model on a file."""

from pathlib import Path
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, print_json, progress_bar, show
from inhouse.core.allocator import keep_freed_memory
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.learning.measuring.calibration_report import (
    Figure,
    ServedReport,
    SliceReport,
    judge_served,
)
from inhouse.learning.measuring.offline import Standings, judge_after, judge_sequences
from inhouse.learning.sequences.flat import read_sequences
from inhouse.learning.sequences.holdout import Difference
from inhouse.learning.sequences.time_split import TARGETS, moment_of, read_wants
from inhouse.stats.types import Interval, NotEnough

_CLICK, _LIKE, _HIDE = range(3)  # places of the probabilities in a slice


def evaluate(
    days: Annotated[
        float | None, typer.Option(min=0, help="pages of the last so many days; all by default")
    ] = None,
    sequences: Annotated[
        Path | None, typer.Option(help="file that --model was trained on by `inhouse train`")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="what that wrote, to be judged")] = None,
    events: Annotated[
        Path | None, typer.Option(help="Parquet or CSV with user, item, at_ms, to be split in time")
    ] = None,
    split: Annotated[
        str, typer.Option(help="of --events: the share before it, or a moment, 2026-05-01T12:00Z")
    ] = "0.9",
    target: Annotated[
        str,
        typer.Option(help="of --events: what each person is asked for: last, random, successive"),
    ] = "last",
    epochs: Annotated[int, typer.Option(min=1, help="at most, with --events")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="of everything random, with --events")] = 0,
    as_json: Json = False,
) -> None:
    """How good the predictions were that were served: what the pages' log says was expected of each
    place that people saw, against what came of it within the learner's time of waiting.

    With --sequences and --model, the last item of each person is asked of a trained causal model,
    every item ranked, beside popularity and item-item neighbours. With --events a causal model is
    trained on what came before --split, then asked for what people wanted after it.
    """
    if sequences is not None and events is not None:
        raise InputError("--sequences and --events: give one of them")
    if (sequences is None) != (model is None):
        raise InputError("--sequences needs --model, and --model needs --sequences")
    if sequences is not None and model is not None:
        _sequences(sequences, model, as_json=as_json)
    elif events is not None:
        _after(events, (split, target), (epochs, seed), as_json=as_json)
    else:
        _served(days, as_json=as_json)


def _served(days: float | None, *, as_json: bool) -> None:
    with open_services() as services, progress_bar() as tell:
        services.catch_clock_up()
        now_ms = services.clock.now_ms()
        report = judge_served(
            services.logs,
            now_ms=now_ms,
            since_ms=0 if days is None else max(0, now_ms - int(days * DAY_MS)),
            wait_ms=services.settings.learning.outcome_wait_ms,
            progress=tell,
        )
    if as_json:
        print_json(report)
    else:
        _print_served(report)


def _print_served(report: ServedReport) -> None:
    every = report.slices[0]
    console.print(
        f"{report.pages:,} for_you pages served, {report.judged:,} judged, {report.unfinished:,}"
        f" still wait for their outcome, {report.late:,} came late, {report.left_out:,} left out;"
        f" {every.n:,} places seen by {every.people:,} people, {report.unpredicted:,} more without"
        " predictions"
    )
    if not every.n:
        console.print("nothing to judge yet: no such page was served and seen, and has waited")
        return
    show(every.probabilities, _PROBABILITIES, as_json=False, title="what was predicted")
    dwell = every.dwell
    console.print(
        f"dwell: {_figure(dwell.predicted_ms, '.0f')} ms predicted, {_figure(dwell.seen_ms, '.0f')}"
        f" seen; predicted/seen {_figure(dwell.ratio)}; rank correlation"
        f" {_figure(dwell.rank_correlation)}"
    )
    bins = [(each.name, row) for each in every.probabilities for row in each.bins]
    show(bins, _BINS, as_json=False, title="said and happened, in bins that hold equally many")
    show(report.slices, _SLICES, as_json=False, title="predicted/happened and AUC, by slice")
    by_chance = next(part for part in report.slices if part.slices == "chance")
    weighted = ", ".join(
        f"{each.name} {_figure(each.ratio_weighted)}" for each in by_chance.probabilities
    )
    console.print(f"given by chance, each place weighing 1/propensity: {weighted}")


def _sequences(path: Path, model: Path, *, as_json: bool) -> None:
    keep_freed_memory()
    named = read_sequences(path)
    with progress_bar() as tell:
        report = judge_sequences(named, model, tell)
    if as_json:
        print_json(report)
        return
    console.print(f"{report.people:,} people and {report.items:,} items; each's last item is asked")
    _print_standings(report.standings)


def _after(path: Path, asked: tuple[str, str], training: tuple[int, int], *, as_json: bool) -> None:
    keep_freed_memory()
    told, wished = asked
    target = next((name for name in TARGETS if name == wished), None)
    if target is None:
        raise InputError(f"target: got {wished!r}, expected one of {', '.join(TARGETS)}")
    wants = read_wants(path)
    at_ms = moment_of(told, wants)
    with progress_bar() as tell:
        report = judge_after(wants, at_ms, target, training, tell)
    if as_json:
        print_json(report)
        return
    console.print(
        f"learned {report.learned:,} wants of {report.people_learned:,} people before the split;"
        f" {report.questions:,} of {report.possible:,} questions asked of {report.people_asked:,}"
        f" people; {report.strangers:,} questions are of strangers; {report.repeats:,} repeats left"
        " out"
    )
    _print_standings(report.standings)


def _print_standings(standings: Standings) -> None:
    show(standings.rows, _STANDINGS, as_json=False)
    for row in standings.differences:
        console.print(_compared(row))
    for reason in standings.left_out:
        console.print(f"left out: {reason}")


def _compared(row: Difference) -> str:
    return f"model minus {row.rival}: HR@10 {_range(row.hit_rate)}, NDCG@10 {_range(row.ndcg)}"


def _number(value: float | NotEnough, form: str = ".3f") -> str:
    return "-" if isinstance(value, NotEnough) else f"{value:{form}}"


def _figure(figure: Figure, form: str = ".3f") -> str:
    if isinstance(figure.value, NotEnough):
        return f"- ({figure.value.reason})"
    return _with_range(figure.value, figure.range, form)


def _with_range(value: float | NotEnough, known: Interval | NotEnough, form: str = ".4f") -> str:
    if isinstance(known, NotEnough):
        return _number(value, form)
    return f"{_number(value, form)} ({known.low:{form}} to {known.high:{form}})"


def _range(known: Interval | NotEnough) -> str:
    if isinstance(known, NotEnough):
        return f"not enough: {known.reason}"
    return f"{known.estimate:+.4f} ({known.low:+.4f} to {known.high:+.4f})"


def _rate(row: Interval) -> str:
    return f"{row.estimate:.4f} ({row.low:.4f} to {row.high:.4f})"


def _ratio_and_auc(part: SliceReport, place: int) -> str:
    told = part.probabilities[place]
    return f"{_short(told.ratio)}, {_short(told.auc)}"


def _short(figure: Figure) -> str:
    """Value and range, narrow; only the value where there is no range."""
    if isinstance(figure.range, NotEnough) or isinstance(figure.value, NotEnough):
        return _number(figure.value, ".2f")
    return f"{figure.value:.2f} ({figure.range.low:.2f}-{figure.range.high:.2f})"


_PROBABILITIES: Final = (
    ("", lambda r: r.name),
    ("rate", lambda r: _figure(r.rate, ".4f")),
    ("predicted", lambda r: _number(r.p_mean.value, ".4f")),
    ("predicted/rate", lambda r: _figure(r.ratio)),
    ("AUC", lambda r: _figure(r.auc)),
    ("AP", lambda r: _number(r.average_precision)),
    ("log loss", lambda r: _number(r.log_loss.value, ".4f")),
    ("norm. entropy", lambda r: _figure(r.normalised_entropy)),
    ("Brier", lambda r: _number(r.brier.value, ".4f")),
    ("ECE", lambda r: _number(r.ece, ".4f")),
)
_BINS: Final = (
    ("", lambda r: r[0]),
    ("said", lambda r: f"{r[1].p_mean:.4f}"),
    ("happened", lambda r: _rate(r[1].rate)),
    ("places", lambda r: f"{r[1].n:,}"),
)
_SLICES: Final = (
    ("slice", lambda r: r.name),
    ("places", lambda r: f"{r.n:,}"),
    ("people", lambda r: f"{r.people:,}"),
    ("click", lambda r: _ratio_and_auc(r, _CLICK)),
    ("like", lambda r: _ratio_and_auc(r, _LIKE)),
    ("hide", lambda r: _ratio_and_auc(r, _HIDE)),
    ("dwell", lambda r: _short(r.dwell.ratio)),
)
_STANDINGS: Final = (
    ("", lambda r: r.name),
    ("HR@10", lambda r: _with_range(r.hit_rate, r.hit_rate_range)),
    ("NDCG@10", lambda r: _with_range(r.ndcg, r.ndcg_range)),
    ("MRR", lambda r: _number(r.mrr, ".4f")),
    ("HR@50", lambda r: _number(r.hit_rate_far, ".4f")),
    ("cold people", lambda r: f"{_number(r.hit_rate_cold_people, '.4f')} of {r.n_cold_people:,}"),
    ("rare items", lambda r: f"{_number(r.hit_rate_rare_items, '.4f')} of {r.n_rare_items:,}"),
    ("new items", lambda r: f"{_number(r.hit_rate_new_items, '.4f')} of {r.n_new_items:,}"),
    ("coverage", lambda r: f"{r.coverage:.3f}"),
)
