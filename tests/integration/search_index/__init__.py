"""The text index: from events to hits, over real PostgreSQL."""
