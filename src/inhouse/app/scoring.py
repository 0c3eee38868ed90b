"""Which scorer moderation asks: the gateway, or nobody while there is neither vendor nor model."""

from collections.abc import Sequence

from inhouse.models.gateway import Gateway
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.ports import Scores
from inhouse.moderation.scorer import GatewayScorer, NoModel


class RouteScorer:
    """Asks the gateway as soon as its route names anybody who could answer."""

    def __init__(self, gateway: Gateway, *, keep_texts: bool = True) -> None:
        """keep_texts: whether they may be kept with what rented models say of them."""
        self._gateway = gateway
        self._models = GatewayScorer(gateway, keep_texts=keep_texts)
        self._nobody = NoModel()

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        """Scores in order, None for a text nobody answered while others were."""
        route = await self._gateway.route(TEXT_HARM.name)
        anybody = route.primary is not None or route.owned is not None
        return await (self._models if anybody else self._nobody).score(texts, refs)
