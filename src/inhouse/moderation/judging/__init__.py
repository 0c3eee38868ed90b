"""Posts judged as they come: read, scored, decided, and a breaker for rules that go too far."""
