"""Rows of the ledger for tests."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from inhouse.models.ledger.rows import append_attempts
from inhouse.models.types import INHOUSE, Attempt, Usage
from inhouse.store.database import Database

START_MS = 1_767_139_200_000  # 2025-12-31


def attempt(**more: Any) -> Attempt:
    """A row worth a cent, answered by openai."""
    values = {
        "call_id": "c",
        "at_ms": START_MS,
        "task": "text_harm",
        "role": "primary",
        "deployment": "main",
        "host": "openai",
        "owner": "openai",
        "model": "m",
        "inputs": 2,
        "answered": 2,
        "usage": Usage(tokens_in=100, tokens_cached=10, tokens_out=20),
        "cost_usd": Decimal("0.01"),
        "price_version": "list",
        "latency_ms": 5.0,
        "outcome": "ok",
        "simulated": False,
    }
    return Attempt(**{**values, **more})


def write(database: Database, attempts: Sequence[Attempt]) -> None:
    """Append to the ledger."""
    database.write(lambda connection: append_attempts(connection, attempts))


OWNED = {
    "host": INHOUSE,
    "owner": INHOUSE,
    "model": "v1",
    "deployment": "owned",
    "usage": None,
    "cost_usd": Decimal(0),
    "price_version": "owned",
}
