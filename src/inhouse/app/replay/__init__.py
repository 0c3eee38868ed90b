"""Recorded behaviour played through the code that serves: pages asked for, scored, then learned."""
