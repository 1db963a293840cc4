"""Small PDFs, written by hand: pages of content streams, an outline, annotations, form fields.

pdf = document([lines(["Rent", "The rent is low."])], title="Lease")
"""

from __future__ import annotations

from collections.abc import Sequence

FIRST_PAGE = 10
"""The number of the first page's object; each page takes two."""


def lines(texts: Sequence[str], left: float = 72, top: float = 770, size: float = 11, leading: float = 15) -> str:
    """A content stream of lines below each other."""
    shown = "".join(f"({_escaped(text)}) Tj T*\n" for text in texts)
    return f"BT /F1 {size} Tf {leading} TL {left} {top} Td\n{shown}ET\n"


def at(left: float, bottom: float, text: str, size: float = 11) -> str:
    """A content stream with a text in one place."""
    return f"BT /F1 {size} Tf {left} {bottom} Td ({_escaped(text)}) Tj ET\n"


def document(
    pages: Sequence[str],
    title: str = "",
    author: str = "",
    outline: Sequence[tuple[str, int, float | None]] = (),
    annotations: Sequence[str] = (),
    fields: Sequence[str] = (),
    encoding: str = "/WinAnsiEncoding",
) -> bytes:
    """`outline`: text, 0-based page, and height on it; `annotations` and `fields`: entries of their dictionaries."""
    last = FIRST_PAGE + 2 * len(pages)
    noted = [*annotations, *(f"/Subtype /Widget /P {FIRST_PAGE} 0 R /F 4 {field}" for field in fields)]
    entries = last + len(noted)
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R /AcroForm 5 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{_references(range(FIRST_PAGE, last, 2))}] >>",
        3: f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding {encoding} >>",
        4: f"<< /Type /Outlines /First {entries} 0 R /Last {entries + len(outline) - 1} 0 R /Count {len(outline)} >>"
        if outline
        else "<< /Type /Outlines >>",
        5: f"<< /Fields [{_references(range(last + len(annotations), entries))}] /DR << /Font << /F1 3 0 R >> >> >>",
        6: f"<< /Title ({_escaped(title)}) /Author ({_escaped(author)}) >>",
    }
    for number, content in enumerate(pages):
        notes = f"/Annots [{_references(range(last, entries))}]" if number == 0 and noted else ""
        objects[FIRST_PAGE + 2 * number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> {notes} "
            f"/Contents {FIRST_PAGE + 2 * number + 1} 0 R >>"
        )
        size = len(content.encode("latin-1"))
        objects[FIRST_PAGE + 2 * number + 1] = f"<< /Length {size} >>\nstream\n{content}\nendstream"
    objects |= {last + index: f"<< /Type /Annot {each} >>" for index, each in enumerate(noted)}
    for index, (text, page, top) in enumerate(outline):
        place = "/Fit" if top is None else f"/XYZ 0 {top} 0"
        following = f"/Next {entries + index + 1} 0 R" if index + 1 < len(outline) else ""
        objects[entries + index] = (
            f"<< /Title ({_escaped(text)}) /Parent 4 0 R {following} /Dest [{FIRST_PAGE + 2 * page} 0 R {place}] >>"
        )
    return _file(objects)


def _references(numbers: Sequence[int]) -> str:
    return " ".join(f"{number} 0 R" for number in numbers)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _file(objects: dict[int, str]) -> bytes:
    body, offsets = b"%PDF-1.5\n", dict[int, int]()
    for number, content in objects.items():
        offsets[number] = len(body)
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(
        f"{offsets[number]:010} 00000 n \n" if number in offsets else "0000000000 00001 f \n"
        for number in range(1, max(objects) + 1)
    )
    head = f"xref\n0 {max(objects) + 1}\n0000000000 65535 f \n{table}"
    tail = f"trailer\n<< /Size {max(objects) + 1} /Root 1 0 R /Info 6 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return body + (head + tail).encode()
