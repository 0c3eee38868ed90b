"""Which scorer moderation asks: the gateway, or nobody while there is neither vendor nor model."""

from collections.abc import Sequence

from inhouse.models.routes import Routes
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.ports import Scores
from inhouse.moderation.scorer import GatewayScorer, NoModel


class RouteScorer:
    """Asks the gateway as soon as its route names anybody who could answer."""

    def __init__(self, routes: Routes, gateway: GatewayScorer) -> None:
        self._routes = routes
        self._gateway = gateway
        self._nobody = NoModel()

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        """Scores in order, None for a text nobody answered while others were."""
        route = self._routes.current(TEXT_HARM.name)
        anybody = route.primary is not None or route.owned is not None
        return await (self._gateway if anybody else self._nobody).score(texts, refs)
