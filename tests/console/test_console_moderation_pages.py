"""Moderation's pages beside the desk: appeals, the policy, banks and what is sealed."""

import asyncio
import dataclasses
from pathlib import Path

import console_moderation as world
import pytest

from inhouse.app.build import Services
from inhouse.console.moderation import (
    appeals_page,
    banks_page,
    policy_model,
    policy_page,
    sealed_page,
)
from inhouse.console.moderation.appeals_model import gather_appeal
from inhouse.console.moderation.page import post_html
from inhouse.console.overview.health import gather_health, lights
from inhouse.core.errors import InputError, SettingError
from inhouse.moderation.past.rescan_job import Progress

WORDS = "&lt;b&gt;quote&lt;/b&gt;"


@pytest.fixture
def ruled(services: Services, tmp_path: Path) -> Services:
    """The seeded community under a policy file of its own, which was taken up."""
    moderation = dataclasses.replace(
        services.settings.moderation, policy=str(world.policy_file(tmp_path / "rules"))
    )
    services.settings = dataclasses.replace(services.settings, moderation=moderation)
    services.catch_clock_up()
    services.rescan.adopt()
    return services


# -- appeals ---------------------------------------------------------------------------------------


def test_an_authors_appeal_shows_the_case_and_who_may_not_decide(services: Services) -> None:
    """The objection is text, the case and the statement are at hand, the first decider is named."""
    appeal = world.appeal_decided_by(services, "ada")
    facts = gather_appeal(services, appeal.appeal_id)
    assert (facts.by_author, facts.had_case, facts.barred) == (True, True, {"ada"})
    objection = appeals_page.objection_html(facts)
    assert WORDS in objection
    assert "The author, " in objection
    decided = appeals_page.decided_html(facts)
    assert "by ada, a person" in decided
    assert "What the author was told" in decided
    assert "a person decided" in decided
    assert "ada made the decision that is appealed" in appeals_page.barred_html(facts, "ada")
    assert "Everybody may decide this but ada" in appeals_page.barred_html(facts, "ben")
    assert "is allowed" in appeals_page.meaning(facts, "overturn")
    assert 'class="post"' in post_html(facts.around, services.reviewers.get("ben"))


def test_a_reporters_appeal_is_granted_by_a_restriction(services: Services) -> None:
    """The page says so, and that nothing restricts the post."""
    appeal = world.appeal_of_reporter(services, "ada")
    facts = gather_appeal(services, appeal.appeal_id)
    assert (facts.by_author, facts.statement) == (False, None)
    assert "was told that nothing was done" in appeals_page.objection_html(facts)
    assert "restricted as you choose" in appeals_page.meaning(facts, "overturn")
    assert ">reporter<" in appeals_page.line(appeal, appeal.at_ms)


def test_an_appeal_against_rules_alone_has_no_case_and_bars_nobody(services: Services) -> None:
    """What stands in the case's place names the rule."""
    held = services.review.queue()[0].item_id
    item = services.catalog.item(held)
    assert item is not None
    appeal = services.appeals.open(item.item_id, item.creator_id, "why?")
    facts = gather_appeal(services, appeal.appeal_id)
    bare = dataclasses.replace(facts, had_case=False)
    assert "none: rules decided alone" in appeals_page.decided_html(bare)
    assert appeals_page.barred_html(facts, "ada") == ""


def test_what_was_answered_is_listed(services: Services) -> None:
    """The latest first, with the answer; before the first a word says so."""
    assert "Nothing yet." in appeals_page.earlier_html([])
    appeal = world.appeal_decided_by(services, "ada")
    done = services.appeals.decide(appeal.appeal_id, "ben", "overturn", "You are right.")
    told = appeals_page.earlier_html(services.appeals.decided())
    assert "overturned" in told
    assert "You are right." in told
    assert "by ben" in appeals_page.done(done)


# -- policy ----------------------------------------------------------------------------------------


def test_the_policy_in_force_is_told_with_its_file_and_rules(ruled: Services) -> None:
    """Version, since when, in words, what is only watched."""
    facts = policy_model.gather_policy(ruled)
    told = policy_page.in_force_html(facts)
    assert facts.is_settled
    assert ruled.policy.version in told
    assert "2 rules, 1 in shadow" in told
    assert "only watched so far" in told
    assert "policy.yaml" in policy_page.how_to_adopt(facts)
    assert "within 5 seconds" in policy_page.how_to_adopt(facts)
    assert ruled.policy.version in policy_page.adopted_html(facts)


def test_a_broken_file_is_told_with_its_lines_and_lights_the_overview(ruled: Services) -> None:
    """The rules of before are named as what holds."""
    ruled.rules_watch.trouble = "1 fault in policy.yaml\n\npolicy.yaml:4:1: <wrong>"
    told = policy_page.in_force_html(policy_model.gather_policy(ruled))
    assert "not taken up" in told
    assert "policy.yaml:4:1: &lt;wrong&gt;" in told
    light = next(one for one in lights(gather_health(ruled, 5)) if one.name == "Changed rules")
    assert (light.state, light.remark) == (
        "bad",
        "1 fault in policy.yaml; the rules of before stay in force",
    )


def test_rules_in_shadow_say_what_they_would_do(ruled: Services) -> None:
    """A rule that holds for posts, and a policy without any."""
    told = policy_page.shadow_html(policy_model.gather_shadow(ruled))
    assert "<h3>links_watched</h3>" in told
    assert "by people: 0 confirmed" in told
    empty = dataclasses.replace(policy_model.gather_shadow(ruled), rules=())
    assert "No rule is in shadow" in policy_page.shadow_html(empty)


def test_another_policy_is_tried_before_it_goes_live(ruled: Services) -> None:
    """From a file beside the one in force, an earlier version, or a text; the change is shown."""
    choices = policy_model.choices(ruled)
    assert "next.yaml" in choices.values()
    (file,) = [key for key, label in choices.items() if label == "next.yaml"]
    heard: list[tuple[int, int]] = []
    by_file = policy_model.try_policy(
        ruled, policy_model.policy_of(ruled, file, ""), 3_650, lambda *far: heard.append(far)
    )
    by_text = policy_model.try_policy(
        ruled,
        policy_model.policy_of(ruled, policy_model.TYPED, world.LAXER),
        3_650,
        lambda *_: None,
    )
    assert by_file == by_text
    assert heard
    assert by_file.changed > 0
    told = policy_page.backtest_html(by_file)
    assert "held for review" in told
    assert "harassment_possible" in told
    version = f"version:{ruled.policy.version}"
    same = policy_model.policy_of(ruled, version, "")
    nothing = policy_model.try_policy(ruled, same, 3_650, lambda *_: None)
    assert nothing.changed == 0
    assert "Every rule does what it does now." in policy_page.backtest_html(nothing)


def test_what_cannot_be_tried_says_why(ruled: Services, tmp_path: Path) -> None:
    """No text, a text with faults, a file that is not on the list, days out of range."""
    typed = policy_model.TYPED
    with pytest.raises(InputError, match="nothing to try; paste a policy"):
        policy_model.policy_of(ruled, typed, "  ")
    with pytest.raises(InputError, match=r"policy:1:1: .*"):
        policy_model.policy_of(ruled, typed, "🍞")
    with pytest.raises(InputError, match="is not there any more; choose again"):
        policy_model.policy_of(ruled, "file:/etc/passwd", "")
    (tmp_path / "rules" / "next.yaml").write_text("nonsense")
    (file,) = [key for key, of in policy_model.choices(ruled).items() if of == "next.yaml"]
    with pytest.raises(SettingError, match=r"next\.yaml"):
        policy_model.policy_of(ruled, file, "")
    with pytest.raises(InputError, match="days is 0; expected 1 to 3650"):
        policy_model.try_policy(ruled, ruled.policy, 0, lambda *_: None)


def test_a_rescan_is_told_while_it_runs_and_when_it_stopped(ruled: Services) -> None:
    """How far, what it did, and who goes on with it."""
    facts = policy_model.gather_policy(ruled)
    assert facts.rescan is not None
    running = policy_page.rescan_html(facts)
    assert "The worker goes on with it" in running
    ruled.rescan.stop()
    stopped = policy_page.rescan_html(policy_model.gather_policy(ruled))
    assert ">stopped<" in stopped
    ruled.rescan.begin(models=True)
    assert "models are asked again" in policy_page.rescan_html(policy_model.gather_policy(ruled))

    async def to_the_end() -> None:
        while (moved := await ruled.rescan.step()) is not None and moved.state == "running":
            pass

    ruled.rescan.begin(signals=True)
    asyncio.run(to_the_end())
    last = policy_model.gather_policy(ruled)
    assert isinstance(last.rescan, Progress)
    none = dataclasses.replace(last, rescan=None)
    assert "None was needed yet." in policy_page.rescan_html(none)


# -- banks -----------------------------------------------------------------------------------------


def test_banks_are_told_in_a_sentence(services: Services) -> None:
    """What a match says, how near, how much of it counts."""
    world.banks(services)
    harmless, tried = services.hash_banks.facts()
    line = banks_page.bank_line(tried)
    for words in ("war-footage", "25 hashes", "violence 0.95", "within 31 bits", "10% count"):
        assert words in line
    assert "must not match" in banks_page.bank_line(harmless)
    assert "held against no other bank" in banks_page.meaning(harmless.bank.spec)
    resting = dataclasses.replace(tried.bank.spec, active=False)
    assert "rests" in banks_page.counting(resting)


def test_hashes_are_listed_with_their_notes_as_text(services: Services) -> None:
    """A note is somebody's words."""
    world.banks(services)
    services.hash_banks.add("war-footage", f"{99:064x},<b>bold</b>", 6)
    found = services.hash_banks.hashes("war-footage", 25, 10)
    assert "&lt;b&gt;bold" in banks_page.hash_line(found[-1])
    assert "Numbers" in banks_page.hashes_head(found, 25)
    assert "No more." in banks_page.hashes_head([], 26)


def test_term_banks_are_told_with_their_sizes(services: Services) -> None:
    """Those in the package say how to bring one's own; a fault is shown."""
    sizes = services.rules.reader.bank_sizes
    assert sum(sizes.values()) > 0
    told = banks_page.terms_html(sizes, "", None)
    assert "set INHOUSE_MODERATION_BANKS" in told
    assert "a &lt;fault&gt;" in banks_page.terms_html(sizes, "/banks", "a <fault>")


# -- sealed ----------------------------------------------------------------------------------------


def test_what_is_sealed_shows_duties_and_nothing_of_the_post(services: Services) -> None:
    """Its id, since when, by whom; the law's words while the report is open."""
    item = services.catalog.item("post-00")
    assert item is not None
    sealed = services.sealed.seal("post-00", "ada")
    line = sealed_page.item_line(sealed)
    assert "post-00" in line
    assert "report it" in line
    assert item.title not in line
    assert "CyberTipline" in sealed_page.duties_html(1, 1)
    done = services.sealed.report("post-00", "ada", "NCMEC", "CT-1")
    assert "reported to NCMEC, CT-1" in sealed_page.item_line(done)
    assert "no duty is open" in sealed_page.duties_html(0, 1)
