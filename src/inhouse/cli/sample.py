"""inhouse moderate sample and prevalence: how much harm there is, from posts drawn at random."""

import secrets
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, print_json, share_in_words, show
from inhouse.moderation.measuring import sampling
from inhouse.moderation.measuring.sampling import Draw, draw_sample

_SEED_BITS: Final = 32


def sample(
    per_category: Annotated[
        int,
        typer.Option(
            min=sampling.LEAST_PER_CATEGORY,
            max=sampling.MOST_PER_CATEGORY,
            help="posts for each category",
        ),
    ] = 200,
    days: Annotated[
        int, typer.Option(min=1, max=sampling.MOST_DAYS, help="of posts judged in so many days")
    ] = 30,
    as_json: Json = False,
) -> None:
    """Draw posts at random, more of them where models are unsure or alarmed, and ask people about
    them in the queue `sample`. Posts stay as they are until somebody decides."""
    with open_services() as services:
        services.catch_clock_up()
        draw = Draw(
            per_category=per_category,
            days=days,
            flag_at=services.settings.models.flag_at,
            seed=secrets.randbits(_SEED_BITS),
        )
        drawn, asked = draw_sample(services.database, services.clock, services.policy, draw)
    if as_json:
        print_json(drawn)
        return
    chosen = len(drawn.item_ids)
    console.print(
        f"{drawn.sample_id}: {chosen:,} of {drawn.posts:,} posts drawn; {asked:,} wait for "
        f"reviewers in the queue {sampling.KIND}, on {chosen - asked:,} people had decided already"
    )


def prevalence(
    sample_id: Annotated[
        str | None, typer.Option("--sample", help="which; the latest if none is named")
    ] = None,
    as_json: Json = False,
) -> None:
    """How much of each category there is, by posts and by views, and which share of it models flag:
    estimates from a sample that people decided on, with 95 % ranges."""
    with open_services() as services:
        found = services.prevalence(sample_id)
    if as_json:
        print_json(found)
        return
    columns = (
        ("category", lambda one: one.category),
        ("decided", lambda one: f"{one.answered:,} of {one.sampled - one.gone:,}"),
        ("of posts", lambda one: share_in_words(one.of_posts)),
        ("of views", lambda one: share_in_words(one.of_views)),
        ("precision", lambda one: share_in_words(one.precision)),
        ("recall", lambda one: share_in_words(one.recall)),
    )
    title = f"{found.sample_id}: {found.posts:,} posts, flagged at {found.flag_at:g}"
    show(found.categories, columns, as_json=False, title=title)
    if found.waiting:
        console.print(f"{found.waiting:,} sampled posts wait in the queue {sampling.KIND}")
