"""The role `learner` with a small model that keeps its checkpoint often: a process to be killed.

Everything else is the role's own. Small stretches and a checkpoint every 0.2 s, which is 60 s in
earnest, let a kill fall before, into and after each of them.
"""

from functools import partial

from inhouse.app.roles import learner as role
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTraining
from inhouse.learning.training import course, learner

if __name__ == "__main__":
    small = TasteShape(dims=8, length=16)
    course.TasteTraining = partial(TasteTraining, shape=small, batch=128, dropout=0.3)  # type: ignore[misc,assignment]
    learner._MANY = 1_000_000  # type: ignore[misc]
    learner._EVENTS_AT_ONCE = 150  # type: ignore[misc]
    role._KEPT_EVERY_S = 0.2  # type: ignore[misc]
    role.main()
