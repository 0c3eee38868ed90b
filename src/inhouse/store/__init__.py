"""Connections, tables and migrations: one set of queries for SQLite and PostgreSQL."""
