"""SQLAlchemy storage, the system of record: PostgreSQL, or SQLite embedded."""
