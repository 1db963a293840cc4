"""API keys, and what limits requests and tokens."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE api_keys (
    id text PRIMARY KEY,
    hash text NOT NULL UNIQUE,
    prefix text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);

CREATE TABLE daily_salts (
    day date PRIMARY KEY,
    salt bytea NOT NULL
);

-- Unlogged: a request need not wait for the disk, and a crash may give everybody a minute's requests anew.
-- No index on free_at, which changes with each request.
CREATE UNLOGGED TABLE request_rates (
    subject text PRIMARY KEY,
    free_at timestamptz NOT NULL
);

CREATE TABLE token_spending (
    subject text PRIMARY KEY,
    day date NOT NULL,
    tokens bigint NOT NULL
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE api_keys, daily_salts, request_rates, token_spending")
