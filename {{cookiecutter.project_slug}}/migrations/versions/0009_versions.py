"""Versions of documents, where each chunk is embedded, and who holds an attempt at a job.

All of it stands beside what was there, so that the former release goes on: it reads `documents.*`, so what is new of a
document has a table of its own.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
usable_since = "0007"
branch_labels = None
depends_on = None

UP = """
-- One for all documents: a document that is deleted and added again does not begin anew.
CREATE SEQUENCE versions;

CREATE TABLE document_versions (
    document_id text PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    accepted bigint NOT NULL DEFAULT nextval('versions'),
    current bigint,
    described bigint NOT NULL DEFAULT 0,
    media_type text NOT NULL,
    digest text,
    metadata jsonb NOT NULL
);
INSERT INTO document_versions (document_id, media_type, digest, metadata)
SELECT id, media_type, content_hash, metadata FROM documents;
UPDATE document_versions SET current = accepted WHERE digest IS NOT NULL;

-- No row is for ever: one without a chunk is a point that the vector store still has to remove.
CREATE TABLE embeddings (
    id text PRIMARY KEY DEFAULT gen_random_uuid()::text,
    index_name text NOT NULL REFERENCES indexes ON DELETE CASCADE,
    chunk_key bigint REFERENCES chunks ON DELETE SET NULL,
    version bigint NOT NULL,
    stored_at timestamptz,
    reserved_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX embeddings_chunk_key ON embeddings (chunk_key);
CREATE INDEX embeddings_index_name ON embeddings (index_name);
CREATE INDEX embeddings_garbage ON embeddings (reserved_at) WHERE chunk_key IS NULL;
-- Points were called as their chunks.
INSERT INTO embeddings (id, index_name, chunk_key, version, stored_at)
SELECT chunks.id, indexes.name, chunks.key, 0, now()
FROM chunks JOIN documents ON documents.id = document_id CROSS JOIN indexes
WHERE content_hash IS NOT NULL AND indexes.active;

ALTER TABLE indexes ADD COLUMN retired_at timestamptz;

ALTER TABLE jobs ADD COLUMN token text, ADD COLUMN waiting_since timestamptz, ADD COLUMN sent_at timestamptz,
    ADD COLUMN fingerprint text;
UPDATE jobs SET sent_at = updated_at WHERE state = 'queued';
CREATE INDEX jobs_unsent ON jobs (due_at) WHERE state = 'queued' AND sent_at IS NULL;
CREATE INDEX jobs_document_id ON jobs (document_id);
"""

DOWN = """
DROP INDEX jobs_unsent, jobs_document_id;
ALTER TABLE jobs DROP COLUMN token, DROP COLUMN waiting_since, DROP COLUMN sent_at, DROP COLUMN fingerprint;
ALTER TABLE indexes DROP COLUMN retired_at;
DROP TABLE embeddings, document_versions;
DROP SEQUENCE versions;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
