"""Documents with a sentence that everybody reads and another that nobody sees, in every way that is known here."""

from __future__ import annotations

from html import escape
from io import BytesIO

from docx import Document
from docx.shared import Pt, RGBColor

PDF_WAYS = {
    "rendering mode 3": "BT /F1 11 Tf 3 Tr 50 700 Td ({}) Tj ET",
    "rendering mode 7": "BT /F1 11 Tf 7 Tr 50 700 Td ({}) Tj ET",
    "white on white": "BT 1 1 1 rg /F1 11 Tf 50 700 Td ({}) Tj ET",
    "nearly white": "BT 0.97 0.98 0.96 rg /F1 11 Tf 50 700 Td ({}) Tj ET",
    "white in CMYK": "BT 0 0 0 0 k /F1 11 Tf 50 700 Td ({}) Tj ET",
    "blue on blue": "0 0 0.8 rg 40 690 500 30 re f BT 0.05 0 0.85 rg /F1 11 Tf 50 700 Td ({}) Tj ET",
    "half a point": "BT /F1 0.5 Tf 50 700 Td ({}) Tj ET",
    "shrunk by a matrix": "q 0.01 0 0 0.01 0 0 cm BT /F1 11 Tf 5000 70000 Td ({}) Tj ET Q",
    "squeezed": "BT /F1 11 Tf 0.001 0 0 1 50 700 Tm ({}) Tj ET",
    "left of the page": "BT /F1 11 Tf -5000 700 Td ({}) Tj ET",
    "above the page": "BT /F1 11 Tf 50 2000 Td ({}) Tj ET",
    "transparent": "q /Clear gs BT /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "mode 3 in a form": "/Form Do",
}

HTML_WAYS = {
    "display": '<p style="display:none">{}</p>',
    "visibility": '<p style="visibility: hidden">{}</p>',
    "attribute": "<p hidden>{}</p>",
    "attribute in a word": "<p>Well<span hidden>{}</span>.</p>",
    "font size": '<p style="font-size:0px">{}</p>',
    "one pixel": '<p style="font-size: 1px; line-height: 1">{}</p>',
    "opacity": '<p style="opacity:0">{}</p>',
    "transparent": '<p style="color: transparent">{}</p>',
    "white": '<p style="color:#ffffff">{}</p>',
    "white font": '<p><font color="white">{}</font></p>',
    "same colour": '<p style="color:#333;background-color:#333">{}</p>',
    "off the screen": '<p style="position:absolute; left:-9999px">{}</p>',
    "indented away": '<p style="text-indent:-9999px">{}</p>',
    "clipped": '<p style="position:absolute; clip: rect(0, 0, 0, 0)">{}</p>',
    "no height": '<p style="height:0; overflow:hidden">{}</p>',
    "style sheet": "<style>.x, .y {{ display : none }}</style><p class=x>{}</p>",
    "in a listing": "<pre>make run <i hidden>{}</i></pre>",
    "comment": "<p>Well.<!-- {} --></p>",
    "template": "<template>{}</template>",
    "attribute values": '<p title="{}" data-x="{}">Well.</p>',
}

MARKDOWN_WAYS = {
    "comment": "<!-- {} -->",
    "comment as a reference": "[//]: # ({})",
    "inline": "Well <span style='display:none'>{}</span> then.",
    "block": "<div hidden>{}</div>",
    "block around paragraphs": "<div hidden>\n\n{}\n\n- {}\n\n</div>",
    "link title": '[Well](https://lab.example "{}")',
}

WORD_WAYS = ("vanish", "tiny", "white")


def pdf(visible: str, hidden: str, way: str) -> bytes:
    """One page; `way` is one of PDF_WAYS, or a content stream with {} where the text goes."""
    drawn = PDF_WAYS.get(way, way).format(_literal(hidden))
    stream = f"BT /F1 11 Tf 50 780 Td ({_literal(visible)}) Tj ET\n{drawn}"
    form = f"BT /F1 11 Tf 3 Tr 50 700 Td ({_literal(hidden)}) Tj ET"
    fonts = "/Font << /F1 3 0 R >>"
    resources = f"<< {fonts} /ExtGState << /Clear << /ca 0 /CA 0 >> >> /XObject << /Form 6 0 R /Scan 7 0 R >> >>"
    pixel = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources {resources} /Contents 5 0 R >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        f"<< /Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << {fonts} >> /Length {len(form)} >>\n"
        f"stream\n{form}\nendstream",
        f"<< {pixel} /Length 1 >>\nstream\nx\nendstream",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return body + (head + tail).encode()


def html(visible: str, hidden: str, way: str) -> bytes:
    drawn = HTML_WAYS[way].replace("{}", escape(hidden)).replace("{{", "{").replace("}}", "}")
    return f"<html><body><h1>Page</h1><p>{escape(visible)}</p>{drawn}</body></html>".encode()


def markdown(visible: str, hidden: str, way: str) -> bytes:
    return f"# Page\n\n{visible}\n\n{MARKDOWN_WAYS[way].replace('{}', hidden)}\n\nThe end.\n".encode()


def word(visible: str, hidden: str, way: str) -> bytes:
    document = Document()
    document.add_paragraph(visible)
    run = document.add_paragraph("Well. ").add_run(hidden)
    if way == "vanish":
        run.font.hidden = True
    elif way == "tiny":
        run.font.size = Pt(1)
    else:
        run.font.color.rgb = RGBColor(0xFF, 0xFF, 0xFF)
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def smuggled(text: str) -> str:
    """As characters of the tag block, which no font draws."""
    return "".join(chr(0xE0000 + ord(letter)) for letter in text if ord(letter) < 128)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
