"""The bill's page: money by day, vendor, task and model, and the way to models of one's own."""

import dataclasses
from decimal import Decimal
from functools import partial

import pytest
from console_community import NOW_MS, START_MS, Community, add_route
from fastapi import FastAPI
from fastapi.testclient import TestClient

from inhouse.app.build import Services
from inhouse.console.bill import page
from inhouse.console.bill.lines import together
from inhouse.console.bill.model import gather
from inhouse.console.bill.route_controls import ACTS
from inhouse.console.bill.route_model import learned_by_ms
from inhouse.console.bill.route_page import task_html
from inhouse.console.bill.view import parity_response
from inhouse.console.spending import cost_of, daily, host_days
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.models.cutover.steering import Ruling
from inhouse.models.harvest.labels import add_labels
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.parity.gate import Finding, Parity
from inhouse.models.types import Label, ModelCard
from inhouse.store.database import Database


def _label(database: Database, count: int) -> None:
    labels = [
        Label(
            task="text_harm",
            ref=f"post-{i}",
            text="a text",
            scores={"spam": 0.1},
            source="openai/openai/gpt",
            terms="simulated",
            at_ms=NOW_MS - DAY_MS,
        )
        for i in range(count)
    ]
    database.write(lambda connection: add_labels(connection, labels))


def _version(name: str) -> ModelVersion:
    card = ModelCard(
        version=name,
        task="text_harm",
        created_ms=START_MS,
        categories=("spam",),
        trained_on=400,
        positives={"spam": 40},
        negatives={"spam": 360},
        sources={"openai/openai/gpt": 400},
        terms={"simulated": 400},
        metrics={},
        sha256="0" * 64,
        features=1,
    )
    return ModelVersion(version=name, task="text_harm", created_ms=START_MS, card=card, parity=None)


def test_facts_of_a_seeded_community(services: Services) -> None:
    """Real and simulated money are never added up, and an attempt without a price is listed."""
    facts = gather(services)
    month = facts.month
    assert month.spend_usd == 0
    assert sum(one.attempts for one in month.unpriced) == 1
    assert sum(facts.daily.spend_usd["openai (simulated)"]) == pytest.approx(
        float(month.simulated_usd)
    )
    assert set(facts.daily.calls) == {"openai (simulated)", "your own"}
    assert [task.task for task in facts.tasks] == ["text_harm"]


def test_every_figure_of_a_simulated_vendor_is_marked(services: Services) -> None:
    """Wherever simulated money is shown, the page says that it is simulated."""
    facts = gather(services)
    for part in (page.figures(facts), page.models(facts), page.unpriced(facts), page.basis(facts)):
        assert "simulated" in part
    assert "simulated" in page.vendors(facts, "host")
    assert "simulated" in page.vendors(facts, "owner")
    assert "Simulated" in page.days(facts)
    assert page.spend_chart(facts)["series"][0]["name"] == "openai (simulated)"


def test_shares_of_answers_add_up(services: Services) -> None:
    """The owned model's share and the vendors' are parts of one whole."""
    facts = gather(services)
    vendors = sum(one.calls or 0 for one in facts.month.shares if one.layer == "host")
    assert vendors + (facts.month.owned_calls or 0) == pytest.approx(1)


def test_an_empty_ledger_says_what_will_appear(empty_services: Services) -> None:
    """Every table has its word, and nothing is zero that is unknown."""
    facts = gather(empty_services)
    for part in (page.months(facts), page.days(facts), page.tasks(facts), page.models(facts)):
        assert part == page.NOTHING_SPENT
    assert page.vendors(facts, "host") == page.NOTHING_SPENT
    assert "—" in page.figures(facts)
    assert "no vendor was paid or asked" in page.figures(facts)
    assert "Every attempt of this month has a price" in page.unpriced(facts)


def test_real_and_simulated_money_are_never_one_sum(services: Services) -> None:
    """With any real spending on the bill, the simulated rows leave cost and count alone."""
    month = gather(services).month
    stand_in = cost_of(month)
    assert (stand_in.simulated, stand_in.spend_usd) == (True, month.simulated_usd)
    rented = next(line for line in month.hosts if line.simulated)
    real = dataclasses.replace(rented, simulated=False, spend_usd=Decimal(3), calls=10)
    mixed = dataclasses.replace(
        month, hosts=(*month.hosts, real), spend_usd=Decimal(3), basis="real"
    )
    own = sum(line.calls for line in month.hosts if not line.simulated)
    cost = cost_of(mixed)
    assert (cost.simulated, cost.spend_usd, cost.calls) == (False, Decimal(3), 10 + own)
    assert dataclasses.replace(cost, calls=0).per_1k_usd is None


def test_lines_of_one_key_become_one(services: Services) -> None:
    """A day's real and simulated lines stand side by side, their sums untouched."""
    lines = gather(services).month.days
    found = together(lines)
    assert len(found) == 12
    assert sum(one.calls for one in found) == sum(line.calls for line in lines)
    assert sum((one.simulated_usd for one in found), Decimal(0)) == sum(
        (line.spend_usd for line in lines if line.simulated), Decimal(0)
    )


def test_days_without_attempts_are_there_too(services: Services) -> None:
    """A gap is a day without answers, not a day that is missing."""
    entries = host_days(services.database, START_MS, NOW_MS)
    found = daily([entries[0], dataclasses.replace(entries[0], day=entries[0].day + 2)])
    assert len(found.days) == 3
    assert found.owned == (0.0, None, 0.0)


def test_a_task_without_labels_says_what_it_waits_for(services: Services) -> None:
    """The stage, the reason, and how many labels the first training takes."""
    task = gather(services).tasks[0]
    shown = task_html(task)
    assert task.route.stage == "rented"
    assert "training starts at" in shown
    assert "No model of your own yet" in shown
    assert learned_by_ms(task) is None


def test_the_day_by_which_enough_labels_are_there_follows_from_the_rate(
    services: Services,
) -> None:
    """100 labels in a day and 200 more needed take two days."""
    _label(services.database, 100)
    task = gather(services).tasks[0]
    assert task.evidence.labels == 100
    by_ms = learned_by_ms(task)
    lacking = task.evidence.least_labels - 100
    assert by_ms == pytest.approx(task.now_ms + DAY_MS * lacking / task.labels_a_day, abs=2)
    assert "enough labels by about" in task_html(task)


def test_steps_and_their_reasons_are_shown(services: Services) -> None:
    """Each change of the route stands with its day and its reason, hostile names escaped."""
    made = Community(services.database)
    services.registry.put(_version("v<1>"))
    route: dict[str, object] = {"task": "text_harm", "primary": "rented", "owned": "v<1>"}
    add_route(made, {**route, "stage": "shadow", "shadow_share": 1.0}, "parity <passed>", START_MS)
    add_route(made, {**route, "stage": "owned", "owned_share": 1.0}, "live agreement", NOW_MS)
    task = gather(services).tasks[0]
    assert task.owned_since_ms == NOW_MS
    shown = task_html(task)
    assert "learned on Thu 12 Mar" in shown
    assert "parity &lt;passed&gt;" in shown
    assert "v&lt;1&gt;" in shown
    assert shown.count('class="done"') == 6


def test_parity_is_shown_question_by_question(services: Services) -> None:
    """Each finding has its estimate, interval and bar; one without evidence shows dashes."""
    known = Finding(
        category="self_harm",
        reference="teacher",
        question="agreement",
        verdict="pass",
        n=140,
        estimate=0.93,
        low=0.88,
        high=0.97,
        bar=0.85,
        more_needed=0,
    )
    unknown = dataclasses.replace(
        known, category="any", verdict="not_enough", n=0, estimate=None, low=None, high=None
    )
    task = gather(services).tasks[0]
    parity = Parity(
        verdict="pass", reason="", held_out=140, more_needed=0, findings=(known, unknown)
    )
    shown = task_html(dataclasses.replace(task, parity=parity))
    assert "0.880 to 0.970" in shown
    assert "self harm" in shown
    assert shown.count('<td class="num">—</td>') == 2


def _on_the_ramp(services: Services) -> None:
    (services.settings.folder.parent / "vendors.toml").write_text(
        '[rented]\nhost = "local"\nowner = "m"\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\n'
        'terms = "mit"\n'
    )
    services.registry.put(_version("v<1>"))
    made = Community(services.database)
    route: dict[str, object] = {"task": "text_harm", "primary": "rented", "owned": "v<1>"}
    add_route(made, {**route, "stage": "ramp5", "owned_share": 0.05}, "live", START_MS)


def test_what_is_watched_stands_beside_its_bound(services: Services) -> None:
    """Each rate with how near it is to its alarm, and the words where nothing is known yet."""
    _on_the_ramp(services)
    shown = task_html(gather(services).tasks[0])
    assert "Requests above 1,000 ms" in shown
    assert "no report to hold it against" in shown
    assert "5% owned" in shown


def test_a_person_rolls_back_and_resumes_from_the_page(services: Services) -> None:
    """The page then says since when and why nobody is answered by the owned model, hostile words
    escaped; a reason is asked for."""
    _on_the_ramp(services)
    ruling = Ruling(task="text_harm", by="ann", reason="<b>odd</b> flags", at_ms=NOW_MS)
    with pytest.raises(InputError, match="a reason of 0 characters"):
        ACTS["Hold"](services, dataclasses.replace(ruling, reason=" "))
    ACTS["Hold"](services, ruling)
    assert "held by person:ann: nothing goes forwards" in task_html(gather(services).tasks[0])
    ACTS["Roll back"](services, ruling)
    task = gather(services).tasks[0]
    assert (task.route.stage, task.route.owned_share) == ("shadow", 0.0)
    shown = task_html(task)
    assert "last taken out of service" in shown
    assert "&lt;b&gt;odd&lt;/b&gt; flags" in shown
    ACTS["Resume"](services, ruling)
    assert gather(services).tasks[0].route.held_by is None


def test_the_report_is_a_page_of_its_own(services: Services) -> None:
    """Without a model, or for a task nobody knows, it says what to do."""
    app = FastAPI()
    app.add_api_route("/bill/parity/{task}", partial(parity_response, services))
    client = TestClient(app)
    missing = client.get("/bill/parity/text_harm")
    assert (missing.status_code, "no model is trained" in missing.text) == (404, True)
    unknown = client.get("/bill/parity/<script>")
    assert (unknown.status_code, unknown.headers["content-type"]) == (
        404,
        "text/plain; charset=utf-8",
    )
