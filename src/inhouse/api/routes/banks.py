"""/v1/banks: hashes of pictures, videos and files that are known."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.core.errors import InputError
from inhouse.moderation.media.banks import Added, BankFacts
from inhouse.moderation.media.types import BankHash, BankSpec, HashBank

router = APIRouter(
    prefix="/v1/banks", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)
Use = Annotated[Services, Depends(services_of)]
MOST_HASHES = 1_000
MOST_NUMBER = 1 << 53


@dataclass(frozen=True, kw_only=True)
class LinesBody:
    """Hashes for a bank."""

    lines: str  # `HEX` or `HEX,a note`, one a line, at most 100,000 lines


@dataclass(frozen=True, kw_only=True)
class StateBody:
    """What a hash is to be."""

    state: Literal["active", "disabled", "removed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BankRemoved:
    """What went with a bank."""

    removed: int  # hashes


@router.get("", responses=documented(list[BankFacts]))
def list_banks(use: Use) -> Response:
    """Every bank by name, and how full it is."""
    return answer(use.hash_banks.facts())


@router.post("", responses=documented(HashBank))
def create_bank(body: BankSpec, use: Use) -> Response:
    """Make a bank without hashes. One without a category says what must not match, and wins over
    every other bank."""
    return answer(use.hash_banks.create(body, use.clock.now_ms()))


@router.put("/{name}", responses=documented(HashBank))
def change_bank(name: str, body: BankSpec, use: Use) -> Response:
    """Put another idea of a bank into force; its name and kind stay."""
    if body.name != name:
        raise InputError(f"name is {body.name[:48]!r}, the address names {name[:48]!r}; send one")
    return answer(use.hash_banks.change(body))


@router.delete("/{name}", responses=documented(BankRemoved))
def remove_bank(name: str, use: Use) -> Response:
    """Remove a bank with all its hashes."""
    return answer(BankRemoved(removed=use.hash_banks.remove(name)))


@router.get("/{name}/hashes", responses=documented(list[BankHash]))
def list_hashes(
    name: str,
    use: Use,
    after: Annotated[int, Query(ge=0, le=MOST_NUMBER, description="last number seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_HASHES)] = 100,
) -> Response:
    """Hashes of a bank in the order in which they came."""
    return answer(use.hash_banks.hashes(name, after, limit))


@router.post("/{name}/hashes", responses=documented(Added))
def add_hashes(name: str, body: LinesBody, use: Use) -> Response:
    """Add hashes, all or, where a line is wrong, none; the error names the lines."""
    return answer(use.hash_banks.add(name, body.lines, use.clock.now_ms()))


@router.put("/{name}/hashes/{digest}", responses=documented(BankHash))
def set_hash(name: str, digest: str, body: StateBody, use: Use) -> Response:
    """Disable one hash, let it count again, or take it out."""
    return answer(use.hash_banks.set_state(name, digest, body.state, use.clock.now_ms()))
