"""Tasks, providers, routes, the ledger, and the way from rented to owned."""
