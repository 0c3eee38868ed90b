"""Is everything well."""
