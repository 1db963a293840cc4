"""In how many chunks each term stands, and how long chunks are, kept with them; indexes for what searches ask.

Kept by triggers, so that whatever writes chunks, the former release too, leaves them right, in the same transaction.
Each session counts in one of 16 slots, which it holds until it commits, and the counts are the sums: sessions rarely
wait for each other.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE term_statistics (
    term text,
    slot smallint,
    chunks bigint NOT NULL,
    PRIMARY KEY (term, slot)
) WITH (fillfactor = 70);
CREATE TABLE corpus_statistics (
    slot smallint PRIMARY KEY,
    chunks bigint NOT NULL,
    length bigint NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION statistics_slot() RETURNS smallint LANGUAGE plpgsql AS $$
DECLARE slot smallint := mod(pg_backend_pid(), 16);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('statistics'), slot);
    RETURN slot;
END $$;

CREATE FUNCTION count_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE own smallint := statistics_slot(); sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO term_statistics AS known
    SELECT term, own, sign * count(*) FROM changed GROUP BY term
    ON CONFLICT (term, slot) DO UPDATE SET chunks = known.chunks + excluded.chunks;
    RETURN NULL;
END $$;

CREATE FUNCTION count_chunks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE own smallint := statistics_slot(); number bigint := 0; total bigint := 0; part record;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT count(*) AS chunks, coalesce(sum(length), 0) AS length INTO part FROM after;
        number := part.chunks;
        total := part.length;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT count(*) AS chunks, coalesce(sum(length), 0) AS length INTO part FROM before;
        number := number - part.chunks;
        total := total - part.length;
    END IF;
    IF number <> 0 OR total <> 0 THEN
        INSERT INTO corpus_statistics AS known VALUES (own, number, total)
        ON CONFLICT (slot) DO UPDATE SET chunks = known.chunks + number, length = known.length + total;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER postings_come AFTER INSERT ON postings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_postings();
CREATE TRIGGER postings_go AFTER DELETE ON postings REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_postings();
CREATE TRIGGER chunks_come AFTER INSERT ON chunks REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_chunks();
CREATE TRIGGER chunks_change AFTER UPDATE ON chunks REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_chunks();
CREATE TRIGGER chunks_go AFTER DELETE ON chunks REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION count_chunks();

INSERT INTO term_statistics SELECT term, 0, count(*) FROM postings GROUP BY term;
INSERT INTO corpus_statistics SELECT 0, count(*), coalesce(sum(length), 0) FROM chunks;

-- The postings of a term in the order of what they may add to a score, for chunks of an ordinary length: bm25.py.
CREATE INDEX postings_impact ON postings
    (term, (frequency::float8 / (frequency::float8 + 0.3 + 0.006 * length::float8)) DESC)
    INCLUDE (chunk_key, frequency, length);
CREATE INDEX documents_metadata ON documents USING gin (metadata jsonb_path_ops);
CREATE INDEX documents_language ON documents (language);
DROP INDEX chunks_length;
"""

DOWN = """
CREATE INDEX chunks_length ON chunks (length);
DROP INDEX documents_language, documents_metadata, postings_impact;
DROP TRIGGER chunks_go ON chunks;
DROP TRIGGER chunks_change ON chunks;
DROP TRIGGER chunks_come ON chunks;
DROP TRIGGER postings_go ON postings;
DROP TRIGGER postings_come ON postings;
DROP FUNCTION count_chunks, count_postings, statistics_slot;
DROP TABLE corpus_statistics, term_statistics;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
