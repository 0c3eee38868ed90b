"""Which scorer moderation asks: the gateway, or nobody while there is neither vendor nor model."""

from collections.abc import Sequence
from typing import Final

from inhouse.models.asking.gateway import Gateway
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Manner
from inhouse.moderation.judging.scorer import GatewayScorer, NoModel
from inhouse.moderation.ports import Scores

_ORDINARY: Final = Manner()


class RouteScorer:
    """Asks the gateway as soon as its route names anybody who could answer."""

    def __init__(self, gateway: Gateway, manner: Manner = _ORDINARY) -> None:
        self._gateway = gateway
        self._models = GatewayScorer(gateway, manner=manner)
        self._nobody = NoModel()

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        """Scores in order, None for a text nobody answered while others were."""
        route = await self._gateway.route(TEXT_HARM.name)
        anybody = route.primary is not None or route.owned is not None
        return await (self._models if anybody else self._nobody).score(texts, refs)
