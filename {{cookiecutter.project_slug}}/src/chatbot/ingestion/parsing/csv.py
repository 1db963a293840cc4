"""CSV and TSV: a row with its column names is a passage, under its number in the file."""

from __future__ import annotations

import csv
from io import StringIO

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.outline import Outline, clean
from chatbot.ingestion.parsing.sheet import fill
from chatbot.ingestion.parsing.text import decode

DELIMITERS = ",;\t|"
SAMPLE = 20_000
LARGEST_CELL = 10_000_000


def read(content: bytes, name: str) -> ParsedDocument:
    decoded, encoding = decode(content)
    text = clean(decoded)
    outline = Outline()
    outline.read_as(encoding)
    csv.field_size_limit(LARGEST_CELL)
    rows = [*csv.reader(StringIO(text), delimiter=_delimiter(text))]
    fill(outline, enumerate(rows, start=1))
    return outline.document(name, everything=decoded)


def _delimiter(text: str) -> str:
    """What stands in most lines equally often; csv.Sniffer takes letters now and then."""
    lines = [line for line in text[:SAMPLE].split("\n") if line.strip()][:50]
    if lines and lines[0].lower().startswith("sep=") and len(lines[0]) == 5:
        return lines[0][4]

    def regularity(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        usual = max(set(counts), key=lambda count: (count > 0, counts.count(count)), default=0)
        return (counts.count(usual) if usual else 0, usual)

    return max(DELIMITERS, key=regularity)
