"""Small files that are made to fill the memory or to take for ever, and what they are refused with."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable
from io import BytesIO

from tests.unit.test_parse import word

MB = 2**20
WORD = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
END = b"</w:body></w:document>"
PARAGRAPH = b"<w:p><w:r><w:t>" + b"bomb " * 2000 + b"</w:t></w:r></w:p>"


def docx(parts: Iterable[bytes]) -> bytes:
    """A Word document whose text is these pieces of XML."""
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(word())) as plain, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in plain.namelist():
            if name != "word/document.xml":
                bomb.writestr(name, plain.read(name))
        with bomb.open("word/document.xml", "w", force_zip64=True) as text:
            for part in parts:
                text.write(part)
    return file.getvalue()


def lying_docx() -> bytes:
    """Says that its text is small, and unpacks to 400 MB."""
    honest, size = docx([WORD, *[b" " * MB] * 400, END]), len(WORD) + 400 * MB + len(END)
    return honest.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))


def laughs() -> bytes:
    """A billion of them, by entities of entities."""
    entities = [
        b'<!ENTITY a "ha">',
        *(b'<!ENTITY %c "%s">' % (each + 1, b"&%c;" % each * 10) for each in range(97, 107)),
    ]
    return docx([b"<!DOCTYPE w [", *entities, b"]>", WORD, b"<w:p><w:r><w:t>&k;</w:t></w:r></w:p>", END])


def nested_zips() -> bytes:
    content = b"0" * MB
    for _ in range(6):
        file = BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", "<x/>")
            for number in range(10):
                archive.writestr(f"word/{number}.zip", content)
        content = file.getvalue()
    return content


def many_members() -> bytes:
    """A hundred thousand members, all of nothing."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(100_000):
            archive.writestr(zipfile.ZipInfo(f"word/document.xml{number}"), b"")
    return file.getvalue()


def pdf(stream: Iterable[bytes], kids: str = "4 0 R", count: int = 1, outline: str = "") -> bytes:
    """One page of this content, packed; `kids` are what the tree of pages holds."""
    packer = zlib.compressobj(9)
    packed = b"".join([*map(packer.compress, stream), packer.flush()])
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {outline} >>".encode(),
        f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
        b"/Contents 5 0 R >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed),
        b"<< /Type /Outlines /First 7 0 R /Last 7 0 R >>",
        b"<< /Title (again) /Parent 6 0 R /Next 7 0 R /First 6 0 R /Dest [4 0 R /Fit] >>",
    ]
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    tail = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
    return body + tail % (size, table, size, len(body))


def drawn(times: int) -> Iterable[bytes]:
    return [b"BT /F1 11 Tf 50 780 Td ", *[b"(bomb bomb bomb) Tj " * 50_000] * times, b"ET"]


DAMAGED = "damaged"
MEMORY = "PARSE_MEMORY_MB"
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "gigabytes.docx": (lambda: docx([WORD, *[b" " * MB] * 1024, END]), "unpacks to more than 200 MB"),
    "elements.docx": (lambda: docx([WORD, *[b"<w:p/>" * 170_000] * 190, END]), MEMORY),
    "text.docx": (lambda: docx([WORD, *[PARAGRAPH * 100] * 30, END]), "characters of text"),
    "lies.docx": (lying_docx, MEMORY),
    "deep.docx": (lambda: docx([WORD, b"<w:p>" * 100_000]), "nested too deeply"),
    "laughs.docx": (laughs, DAMAGED),
    "nested.docx": (nested_zips, DAMAGED),
    "members.docx": (many_members, DAMAGED),
    "flate.pdf": (lambda: pdf([b" " * MB] * 600), MEMORY),
    "drawn.pdf": (lambda: pdf(drawn(1000)), MEMORY),
    "pages.pdf": (lambda: pdf(drawn(1), "4 0 R " * 100_000, 100_000), "more than 10,000 pages"),
    "loop.pdf": (lambda: pdf(drawn(1), "2 0 R 2 0 R"), DAMAGED),
    "deep.html": (lambda: b"<div>" * 100_000 + b"deep", "nested too deeply"),
    "deep.md": (lambda: b"</ul>" * 100_000 + b"<ul>" * 100_000 + b"\n\ndeep", "nested too deeply"),
    "quotes.md": (lambda: b">" * 100_000 + b" deep", "holds no text"),
}
"""From a name to the file, and to words of its refusal."""

HARMLESS: dict[str, Callable[[], bytes]] = {
    "brackets.md": lambda: b"[" * 100_000 + b"a",
    "stars.md": lambda: b"*a **a " * 50_000,
    "lists.md": lambda: b"".join(b" " * depth + b"- x\n" for depth in range(2000)),
    "list.html": lambda: b"<ul>" + b"<li>one<div>more</div>" * 20_000 + b"</ul>",
    "bold.html": lambda: b"<b>" * 100_000 + b"deep",
    "tables.html": lambda: b"<table><tr><td>" * 30_000 + b"deep",
    "claims.pdf": lambda: pdf(drawn(1), "4 0 R", 2_000_000),
    "outline.pdf": lambda: pdf(drawn(0), outline="/Outlines 6 0 R"),
}
"""What looks like one, and is read."""
