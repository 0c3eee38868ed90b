"""The ranking head: as arrays for serving, and how it is taught."""
