"""Review: cases and their queues, opinions, known answers, what lies around a case."""
