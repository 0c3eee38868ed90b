"""What the public is told: the policy in words, a period's report, the EU database's files."""
