"""Which models stood behind restrictions."""

from inhouse.moderation.verdicts.critical import restricted_by_model
from inhouse.store import tables
from inhouse.store.database import Database


def _verdict(item: str, at_ms: int, model: str | None) -> dict[str, object]:
    return {
        "item_id": item,
        "at_ms": at_ms,
        "labels": "{}",
        "decided_by": "rule:x",
        "policy_version": "1",
        "model_version": model,
        "note": None,
    }


def _statement(item: str | None, at_ms: int, by: str = "rule:x") -> dict[str, object]:
    return {
        "statement_id": f"{item}-{at_ms}-{by}",
        "at_ms": at_ms,
        "user_id": "u",
        "item_id": item,
        "text_key": "",
        "kinds": "removed",
        "category": "spam",
        "decided_by": by,
        "policy_version": "1",
        "body": "{}",
        "state": "in_force",
        "ended_ms": None,
        "exported_ms": None,
    }


def test_the_verdict_before_a_restriction_counts(any_database: Database) -> None:
    """Of several verdicts the last before it; people's decisions, accounts and other times do not
    count; a post that no model had scored is nobody's. On both databases."""
    verdicts = [
        _verdict("a", 10, "openai/m"),
        _verdict("a", 20, "inhouse/v1"),
        _verdict("a", 40, "openai/m"),
        _verdict("b", 10, "openai/m"),
        _verdict("c", 10, None),
    ]
    statements = [
        _statement("a", 20),
        _statement("a", 30),
        _statement("b", 15),
        _statement("b", 16, "person:ana"),
        _statement("c", 15),
        _statement("d", 15),
        _statement(None, 15),
        _statement("b", 99),
    ]
    any_database.write(
        lambda connection: (
            connection.execute(tables.verdicts.insert(), verdicts),
            connection.execute(tables.statements.insert(), statements),
        )
    )

    assert restricted_by_model(any_database, 10, 99) == {"inhouse/v1": 2, "openai/m": 1, None: 2}
