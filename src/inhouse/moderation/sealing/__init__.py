"""What nobody may read: the vault and its key, and pictures of calls that go straight into it."""
