"""What speaks SQL: each module looks after its own tables in PostgreSQL."""
