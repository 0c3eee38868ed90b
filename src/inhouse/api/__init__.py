"""HTTP: our endpoints and others' wire formats, translation only."""
