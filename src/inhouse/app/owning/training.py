"""Training a task's judging model where it will answer."""

from inhouse.app.build import Services
from inhouse.app.owning.posts import latest_posts
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.train import train_task
from inhouse.models.types import Task
from inhouse.stats.types import NotEnough


def train_here(services: Services, task: Task, settings: ModelSettings) -> ModelVersion | NotEnough:
    """Train from the task's labels. What judges posts is shown the latest ones too, of which nobody
    need have said anything: they tell which words are commoner here than among the labels."""
    posts = latest_posts(services) if task.name == TEXT_HARM.name else {}
    return train_task(
        services.database,
        task,
        services.registry.folder,
        services.clock,
        settings,
        list(posts.values()),
    )
