"""Conversations, what users think of the answers, and what they agreed to."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE conversations (
    id text PRIMARY KEY,
    caller_id text NOT NULL,
    title text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_caller_id ON conversations (caller_id, updated_at, id);
CREATE INDEX conversations_updated_at ON conversations (updated_at);

CREATE TABLE messages (
    id text PRIMARY KEY,
    conversation_id text NOT NULL REFERENCES conversations ON DELETE CASCADE,
    question text NOT NULL,
    answer text NOT NULL,
    citations jsonb NOT NULL,
    grounded boolean NOT NULL,
    language text NOT NULL,
    model text NOT NULL,
    prompt_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    cost double precision NOT NULL,
    estimated boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX messages_conversation_id ON messages (conversation_id, created_at);

CREATE TABLE feedback (
    message_id text PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    rating text NOT NULL,
    comment text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE consents (
    caller_id text PRIMARY KEY,
    analytics boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- All that analytics may read: what those asked who agree to it now, without who they are.
CREATE VIEW analytics AS
SELECT question, grounded, language, model, rating, date_trunc('day', messages.created_at) AS day
FROM messages
JOIN conversations ON conversations.id = conversation_id
JOIN consents USING (caller_id)
LEFT JOIN feedback ON message_id = messages.id
WHERE consents.analytics;

CREATE TABLE daily_tasks (
    name text PRIMARY KEY,
    done_at timestamptz NOT NULL
);
"""

DOWN = "DROP VIEW analytics; DROP TABLE daily_tasks, consents, feedback, messages, conversations"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
