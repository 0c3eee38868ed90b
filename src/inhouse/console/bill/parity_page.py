"""A parity report as one HTML file that needs nothing else: light and dark, and to be printed."""

from collections.abc import Mapping, Sequence
from typing import Final

from inhouse.console.markup import (
    Child,
    Safe,
    document,
    empty,
    join,
    note,
    table,
    tag,
    tile,
    tiles,
    words,
)
from inhouse.console.words import UNKNOWN, count, moment, plural, probability, share
from inhouse.models.parity.gate import Finding, Verdict
from inhouse.models.parity.report import Case, ParityReport, Slice

VERDICTS: Final[Mapping[Verdict, tuple[str, str]]] = {
    "pass": ("passes", "good"),
    "fail": ("fails", "bad"),
    "not_enough": ("not enough labels", "warn"),
}
_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1c1d21;--quiet:#62656e;--line:#dfe1e6;--card:#f6f7f9;
--good:#177245;--bad:#b3261e;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--bg:#17181c;--ink:#e8e9ed;--quiet:#a2a6b0;--line:#34363d;
--card:#202228;--good:#5ccb93;--bad:#ff8a80;--warn:#f0b952}}
*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem 4rem;
background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.25rem 0 .5rem}
p{margin:.4rem 0;max-width:60rem}.quiet{color:var(--quiet)}.small{font-size:.87rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));
gap:.75rem;margin:1.25rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}
.tile .name,.tile .remark{color:var(--quiet);font-size:.83rem}.tile .value{font-size:1.25rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:600}.num{text-align:right;font-variant-numeric:tabular-nums}
td bdi{overflow-wrap:anywhere}.note{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}
.warn{color:var(--warn)}.empty{border:1px dashed var(--line);border-radius:.5rem;padding:1rem}
@media print{body{max-width:none;padding:0}}
"""
_HEADS: Final = ("Category", "Question", "Estimate", "95% interval", "Bar", "Texts", "")
_OF_SLICES: Final = ("Slice", "Texts", "Estimates", "p, adjusted", "")
_OF_CASES: Final = ("Post", "Differ in", "Rented", "Owned", "People", "Text")


def report_page(report: ParityReport) -> Safe:
    """The whole file."""
    return document(f"Parity of {report.task}", _STYLE, tag("main", *_parts(report)))


def findings_table(findings: Sequence[Finding]) -> Safe:
    """What was asked of each category, and the answer."""
    return table(_HEADS, [_finding(finding) for finding in findings], "llrrrrl")


def verdict_note(verdict: Verdict) -> Safe:
    """A verdict in words and colour."""
    return note(*VERDICTS[verdict])


def _parts(report: ParityReport) -> list[Child]:
    overall = report.overall
    return [
        tag("h1", "Parity of ", tag("code", report.task)),
        tag("p", words(report.version), f", {moment(report.made_ms)} UTC", class_="quiet"),
        _figures(report),
        tag("p", tag("b", verdict_note(overall.verdict)), " ", words(overall.reason)),
        _beside(report),
        tag("h2", "Held against the rented model and people"),
        findings_table(overall.findings),
        tag("h2", "Slices"),
        _slices(report.slices),
        tag("h2", "Where they differ most"),
        _cases(report),
        tag("h2", "How this was told"),
        _method(report),
    ]


def _beside(report: ParityReport) -> Safe | None:
    """Beside the version that serves; None where rented models do."""
    found = report.beside
    if found is None:
        return None
    told = [tag("b", "Beside ", tag("code", found.version), ": ", verdict_note(found.verdict))]
    return tag("p", *told, " ", words(found.reason))


def _figures(report: ParityReport) -> Safe:
    signed = report.signed
    whose = f"signed by {signed.signed_by}" if signed else "of the settings; nobody signed"
    lacking = report.overall.more_needed
    return tiles(
        tile("Verdict", verdict_note(report.overall.verdict)),
        tile("Margin", f"{report.margin:g}", words(whose)),
        tile(
            "Texts held out",
            count(report.overall.held_out),
            f"people judged {report.overall.people:,}",
        ),
        tile("Both models differ", count(report.differences), f"{report.unjudged:,} unjudged"),
        tile("Labels lacking", UNKNOWN if lacking is None else count(lacking)),
    )


def _finding(finding: Finding) -> list[Child]:
    return [
        finding.category.replace("_", " "),
        finding.question,
        _number(finding.estimate),
        _interval(finding),
        f"{finding.bar:.2f}",
        count(finding.n),
        verdict_note(finding.verdict),
    ]


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _interval(finding: Finding) -> str:
    if finding.low is None or finding.high is None:
        return UNKNOWN
    return f"{finding.low:.3f} to {finding.high:.3f}"


def _slices(slices: Sequence[Slice]) -> Safe:
    if not slices:
        return empty("No slices", "They appear as soon as held-out texts differ in a fact.")
    rows: list[list[Child]] = [
        [
            join([words(f"{one.fact.replace('_', ' ')}: {one.value}")]),
            count(one.texts),
            join([tag("div", _slice_finding(finding)) for finding in one.findings]),
            f"{min(one.p_pass, one.p_fail):.4f}",
            _slice_verdict(one),
        ]
        for one in slices
    ]
    return table(_OF_SLICES, rows, "lrlrl")


def _slice_finding(finding: Finding) -> str:
    return f"{_number(finding.estimate)} ({_interval(finding)}, bar {finding.bar:.2f})"


def _slice_verdict(one: Slice) -> Safe:
    if one.verdict != "not_enough":
        return verdict_note(one.verdict)
    if one.more_needed is None:
        return note("not enough evidence, how many labels it takes cannot be told yet", "warn")
    more = plural(one.more_needed, "more label")
    return note(f"not enough evidence, {more} needed", "warn")


def _cases(report: ParityReport) -> Safe:
    if not report.cases:
        return empty("No case", "Both models say the same of every text that is held out.")
    rows: list[list[Child]] = [_case(case) for case in report.cases]
    shown = f"{len(rows):,} of {report.differences:,}, those first that no person has judged."
    return join([tag("p", shown, class_="quiet small"), table(_OF_CASES, rows, "llrrll")])


def _case(case: Case) -> list[Child]:
    people = {None: UNKNOWN, True: "harmful", False: "harmless"}[case.people]
    facts = ", ".join(f"{fact} {value}" for fact, value in sorted(case.facts.items()))
    return [
        join([words(case.ref), tag("div", words(facts), class_="quiet small")]),
        case.category.replace("_", " "),
        probability(case.p_teacher),
        probability(case.p_student),
        people,
        words(case.text) if case.text is not None else tag("span", "left out", class_="quiet"),
    ]


def _method(report: ParityReport) -> Safe:
    return tag(
        "p",
        "Texts are the latest of the labels, which the version was not trained on. Where both "
        "models say the same neither is the better; people settle the rest, and a difference "
        "nobody judged counts against the owned model. Intervals: Tango's of paired shares, and "
        f"the large-sample one of kappa, 95%. Slices: {share(0.05)} chance to be wrong about any, "
        f"by Holm's adjustment over all {len(report.slices)}.",
        class_="quiet small",
    )
