"""A vendor's invoice beside the ledger: each difference with its reason, or told as unexplained."""
