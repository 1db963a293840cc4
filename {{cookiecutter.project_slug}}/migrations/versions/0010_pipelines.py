"""What was harvested, which pipelines ran, and which ticks of the schedules were taken."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE harvests (
    corpus text PRIMARY KEY,
    since text NOT NULL
);

CREATE TABLE harvested (
    corpus text NOT NULL,
    source text NOT NULL,
    record jsonb NOT NULL,
    same_as text,                               -- the version of the same publication that is answered from instead
    is_done boolean NOT NULL DEFAULT false,
    problem text NOT NULL DEFAULT '',           -- why the full text, or all of it, is not there
    try_again_at timestamptz,
    missed smallint NOT NULL DEFAULT 0,         -- harvests in a row that did not list it
    PRIMARY KEY (corpus, source)
);

CREATE TABLE pipeline_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    figures jsonb NOT NULL
);
CREATE INDEX pipeline_runs_pipeline ON pipeline_runs (pipeline, finished_at);

CREATE TABLE schedule_ticks (
    pipeline text NOT NULL,
    tick timestamptz NOT NULL,
    PRIMARY KEY (pipeline, tick)
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE schedule_ticks, pipeline_runs, harvested, harvests")
