"""A question about content: who is asked it by its task's route, with how much patience."""
