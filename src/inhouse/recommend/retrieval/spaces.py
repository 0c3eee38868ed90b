"""The spaces in which a feed looks for neighbours: by content, and by the model in use."""

from inhouse.features.items import ItemTable
from inhouse.recommend.ports import TasteModel
from inhouse.recommend.retrieval.reach import Reaches
from inhouse.recommend.retrieval.space import EXACT_UP_TO, Space
from inhouse.recommend.types import Floats, Rows


class Spaces:
    """One space of each kind; a new model gets a new one. Only what is asked for is made."""

    def __init__(self, *, patient: bool = False) -> None:
        """patient: see `Space`."""
        self._patient = patient
        self._content: Space | None = None
        self._learned: Space | None = None
        self._model: TasteModel | None = None
        self._reaches = Reaches()

    @property
    def recall(self) -> float | None:
        """Of the best hundred, the share that searches find; None where no space is
        searched, and until it is known."""
        return None if self._learned is None else self._learned.recall

    def content(self, table: ItemTable) -> Space:
        """By what posts are about."""
        if self._content is None:
            # An edit changes content in place, which an index hears of when it is made anew.
            self._content = Space(patient=self._patient, indexed_beyond=EXACT_UP_TO)
        self._content.refresh(table.content[: table.count], table.posts)
        return self._content

    def learned(self, model: TasteModel, table: ItemTable) -> Space:
        """By a model. Raises ValueError where its vectors are not one for each item."""
        if model is not self._model or self._learned is None:
            self._model, self._learned = model, self._of_a_model()
        self._learned.refresh(*_vectors(model, table))
        return self._learned

    def moved(self, rows: Rows) -> None:
        """Hear that the model in use changed the vectors of these items in place."""
        if self._learned is not None:
            self._learned.moved(rows)

    def prepare(self, model: TasteModel, table: ItemTable) -> "Prepared":
        """Make ready for a model that is not in use yet; may be called on another thread."""
        space = self._of_a_model()
        space.refresh(*_vectors(model, table))
        space.build()
        return Prepared(model, space)

    def use(self, prepared: "Prepared") -> None:
        """From now on the space of this model is there at once."""
        self._model, self._learned = prepared.model, prepared.space

    def _of_a_model(self) -> Space:
        return Space(patient=self._patient, reaches=self._reaches)


class Prepared:
    """A model with its space."""

    def __init__(self, model: TasteModel, space: Space) -> None:
        self.model = model
        self.space = space


def _vectors(model: TasteModel, table: ItemTable) -> tuple[Floats, Rows]:
    """One for each item, and which of them are posts: no more of these than there are vectors."""
    posts = table.posts
    count = table.count
    vectors = model.item_vectors(table)[:count]
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"item vectors are {vectors.shape}; expected ({count}, d)")
    return vectors, posts
