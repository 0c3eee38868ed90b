"""What rows of the ledger would have cost at other prices than the one they have. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.prices import Rates, contract_rates, list_rates, rates_in
from inhouse.models.reconcile.books import SLOT_MS
from inhouse.models.reconcile.types import Entry, Kind, Tokens
from inhouse.models.types import Deployment, Usage

_CONTRACT: Final = "contract "
UNBILLED: Final = "unbilled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """Another price that the vendor may have charged."""

    kind: Kind
    detail: str  # in words
    rates: Callable[[Entry], Rates | None]  # for rows that it changes; None for the others


class Prices:
    """The prices of the deployments that are configured."""

    def __init__(self, deployments: Sequence[Deployment], now_ms: int) -> None:
        self._by_name: Mapping[str, Deployment] = {one.name: one for one in deployments}
        self._now_ms = now_ms

    def rates(self, entry: Entry) -> Rates | None:
        """Those by which the ledger prices such rows, as they were kept with them where they are a
        contract's; None where they are not known any more."""
        kept = rates_in(entry.price_version)
        if kept is not None:
            return kept
        deployment = self._by_name.get(entry.deployment)
        if deployment is None:
            return None
        if deployment.contract is not None and entry.spillover is None:
            return contract_rates(deployment)
        return list_rates(deployment, entry.slot * SLOT_MS)

    def guesses(self) -> list[Guess]:
        """Other prices worth trying, the likeliest first."""
        return [
            Guess(
                kind="price",
                detail="charged by the list, the ledger has the contract's price",
                rates=self._list_for_contract,
            ),
            Guess(
                kind="price",
                detail="charged by the contract as it is now in vendors.toml, the ledger has "
                "another price",
                rates=self._contract_now,
            ),
            Guess(
                kind="spilled",
                detail="calls that went over are charged at the price of the deployment that "
                "answered, the ledger has the list's",
                rates=self._spilled_to,
            ),
            Guess(
                kind="spilled",
                detail="calls that went over are charged by the contract, the ledger has the "
                "list's price",
                rates=self._spilled_by_contract,
            ),
            Guess(
                kind="price",
                detail="charged at the list's price of now, the ledger has that of the day",
                rates=lambda entry: self._list_at(entry, self._now_ms),
            ),
            Guess(
                kind="price",
                detail="charged at the list's price of the day before",
                rates=lambda entry: self._list_at(entry, entry.slot * SLOT_MS - DAY_MS),
            ),
        ]

    def _list_for_contract(self, entry: Entry) -> Rates | None:
        deployment = self._by_name.get(entry.deployment)
        if deployment is None or not (entry.price_version or "").startswith(_CONTRACT):
            return None
        return list_rates(deployment, entry.slot * SLOT_MS)

    def _contract_now(self, entry: Entry) -> Rates | None:
        deployment = self._by_name.get(entry.deployment)
        if deployment is None or entry.spillover is not None or entry.price_version is None:
            return None
        return contract_rates(deployment)

    def _spilled_to(self, entry: Entry) -> Rates | None:
        if entry.spillover is None:
            return None
        to = next(
            (
                one
                for one in self._by_name.values()
                if one.host == entry.host and entry.spillover in (one.name, one.model)
            ),
            None,
        )
        return None if to is None else contract_rates(to) or list_rates(to, entry.slot * SLOT_MS)

    def _spilled_by_contract(self, entry: Entry) -> Rates | None:
        deployment = self._by_name.get(entry.deployment)
        if deployment is None or entry.spillover is None:
            return None
        return contract_rates(deployment)

    def _list_at(self, entry: Entry, at_ms: int) -> Rates | None:
        deployment = self._by_name.get(entry.deployment)
        if deployment is None or (entry.price_version or _CONTRACT).startswith(_CONTRACT):
            return None
        return list_rates(deployment, at_ms)


def cost_at(rates: Rates, tokens: Tokens, requests: int) -> Decimal:
    """What tokens cost at some rates."""
    usage = Usage(
        tokens_in=tokens.fresh + tokens.cached, tokens_cached=tokens.cached, tokens_out=tokens.out
    )
    return rates.cost_usd(usage, requests)
