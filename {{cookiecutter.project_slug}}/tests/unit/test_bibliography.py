"""Documents as BibTeX, RIS and CSL-JSON: what is known of each, and nothing that its metadata could break."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbot.bootstrap import Services
from chatbot.domain import Document
from chatbot.text import bibliography
from tests.unit.fakes import client_of

PAPER = Document(
    "d1",
    "https://hal.science/hal-1/file{1}.pdf",
    "Rain & roofs: 100 % of {slate}",
    "application/pdf",
    "en",
    {
        "authors": ["Ada Stone", "Pluie, Luc", "Meyer and Sons"],
        "year": 2021,
        "journal": "Slate_Review",
        "doi": "https://doi.org/10.1/a_b",
    },
    "h",
)
FILE = Document("d2", "notes/été.md", "Été\n2020", "text/markdown", "fr", {}, "h")

BIBTEX = r"""@article{Stone2021,
  author = {Ada Stone and Pluie, Luc and {Meyer and Sons}},
  title = {{Rain \& roofs: 100 \% of \textbraceleft{}slate\textbraceright{}}},
  journal = {Slate\_Review},
  year = {2021},
  doi = {10.1/a_b},
  url = {https://hal.science/hal-1/file%7B1%7D.pdf},
  language = {english},
}

@misc{Ete,
  title = {{Été 2020}},
  note = {notes/été.md},
  language = {french},
}
"""


def test_bibtex() -> None:
    assert bibliography.written("bibtex", [PAPER, FILE]) == BIBTEX


def test_ris() -> None:
    assert bibliography.written("ris", [PAPER, FILE]).split("\r\n") == [
        "TY  - JOUR",
        "AU  - Ada Stone",
        "AU  - Pluie, Luc",
        "AU  - Meyer and Sons",
        "TI  - Rain & roofs: 100 % of {slate}",
        "JO  - Slate_Review",
        "PY  - 2021",
        "DO  - 10.1/a_b",
        "UR  - https://hal.science/hal-1/file{1}.pdf",
        "LA  - en",
        "ID  - d1",
        "ER  - ",
        "TY  - GEN",
        "TI  - Été 2020",
        "N1  - notes/été.md",
        "LA  - fr",
        "ID  - d2",
        "ER  - ",
        "",
    ]


def test_csl() -> None:
    paper, file = json.loads(bibliography.written("csl", [PAPER, FILE]))
    assert paper == {
        "id": "d1",
        "type": "article-journal",
        "title": "Rain & roofs: 100 % of {slate}",
        "author": [{"literal": "Ada Stone"}, {"family": "Pluie", "given": "Luc"}, {"literal": "Meyer and Sons"}],
        "issued": {"date-parts": [[2021]]},
        "container-title": "Slate_Review",
        "DOI": "10.1/a_b",
        "URL": "https://hal.science/hal-1/file{1}.pdf",
        "language": "en",
    }
    assert file == {"id": "d2", "type": "document", "title": "Été 2020", "note": "notes/été.md", "language": "fr"}


def test_keys_of_one_list_differ() -> None:
    many = bibliography.written("bibtex", [PAPER] * 28 + [FILE])
    keys = re.findall(r"@\w+\{(\w+),", many)
    assert (keys[0], keys[25], keys[26], keys[28]) == ("Stone2021a", "Stone2021z", "Stone2021aa", "Ete")
    assert len({*keys}) == 29


anything = st.text(max_size=40) | st.sampled_from(
    ["}", "\\}", "@article{x,", "ER  - ", "a\r\nTY  - JOUR", " and ", "%"]
)
scalars = anything | st.integers() | st.booleans() | st.floats()
metadata = st.fixed_dictionaries(
    {}, optional={name: scalars | st.lists(anything, max_size=4) for name in ("authors", "year", "journal", "doi")}
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(st.lists(st.tuples(anything, anything, metadata), min_size=1, max_size=4))
def test_nothing_that_a_file_says_of_itself_breaks_an_entry(found: list[tuple[str, str, Any]]) -> None:
    documents = [
        replace(FILE, id=f"d{number}", title=title, source=source, metadata=known)
        for number, (title, source, known) in enumerate(found)
    ]
    bibtex = bibliography.written("bibtex", documents)
    depth, entries = 0, 0
    for sign in bibtex:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
        entries += sign == "}" and depth == 0
    assert (depth, entries) == (0, len(documents))
    assert len(re.findall(r"^@(?:article|misc)\{[A-Za-z0-9]+,$", bibtex, re.MULTILINE)) == len(documents)
    lines = bibliography.written("ris", documents).split("\r\n")
    assert lines.pop() == ""
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]  - [^\r\n]*", line) for line in lines)
    assert [line[:2] for line in lines].count("TY") == lines.count("ER  - ") == len(documents)
    assert len(json.loads(bibliography.written("csl", documents))) == len(documents)


@pytest.mark.parametrize("format", ["bibtex", "ris", "csl"])
async def test_a_document_and_the_sources_of_an_answer_are_files(
    services: Services, client: httpx2.AsyncClient, format: bibliography.Format
) -> None:
    services.documents.rows["d1"] = PAPER
    id = (await client.post("/v1/chat", json={"question": "Who pays?"})).json()["message_id"]
    for path, name in {"/v1/documents/d1/citation": "d1", f"/v1/messages/{id}/citations": id}.items():
        response = await client.get(path, params={"format": format})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(bibliography.MEDIA_TYPES[format])
        file = name + bibliography.SUFFIXES[format]
        assert response.headers["content-disposition"] == f'attachment; filename="{file}"'
        assert response.text == bibliography.written(format, [PAPER])


async def test_what_is_not_there_or_is_another_callers_is_a_404(services: Services, client: httpx2.AsyncClient) -> None:
    asked = (await client.post("/v1/chat", json={"question": "Who pays?"})).json()
    mine = f"/v1/messages/{asked['message_id']}/citations"
    assert (await client.get(mine)).text == ""
    async with client_of(services) as stranger:
        assert (await stranger.get(mine)).status_code == 404
    assert (await client.get("/v1/documents/none/citation")).status_code == 404
    assert (await client.get("/v1/documents/d1/citation", params={"format": "word"})).status_code == 422
