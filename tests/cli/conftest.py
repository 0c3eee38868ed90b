"""What the tests of the command line share."""

from cli_program import program

__all__ = ["program"]  # fixtures
