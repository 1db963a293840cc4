"""Documents with a sentence that everybody reads and another that nobody sees, in every way that is known here."""

from __future__ import annotations

from html import escape
from io import BytesIO

from docx import Document
from docx.shared import Pt, RGBColor

WELL_KNOWN = "BT 0 g /F1 11 Tf 50 700 Td (Well known words, often read.) Tj ET"
PDF_WAYS = {
    "rendering mode 3": "BT /F1 11 Tf 3 Tr 50 700 Td ({}) Tj ET",
    "rendering mode 7": "BT /F1 11 Tf 7 Tr 50 700 Td ({}) Tj ET",
    "a text that the glyphs are said to be": "/Span <</ActualText ({})>> BDC BT /F1 11 Tf 50 700 Td (A day) Tj ET EMC",
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
    "white on a white picture": "q 500 0 0 40 40 690 cm /White Do Q BT 1 g /F1 11 Tf 50 700 Td ({}) Tj ET",
    "white in a white pattern": "/Pattern cs /Paper scn 40 690 500 30 re f BT 1 g /F1 11 Tf 50 700 Td ({}) Tj ET",
    "covered by a rectangle": "BT /F1 11 Tf 50 700 Td ({}) Tj ET 1 g 40 690 500 30 re f",
    "covered by a picture": "BT /F1 11 Tf 50 700 Td ({}) Tj ET q 500 0 0 40 40 690 cm /White Do Q",
    "covered by a form": "BT /F1 11 Tf 50 700 Td ({}) Tj ET /Cover Do",
    "covered by a black bar": "BT /F1 11 Tf 50 700 Td ({}) Tj ET 0 g 40 690 500 30 re f",
    "black on a black bar": "0 g 40 690 500 30 re f BT /F1 11 Tf 50 700 Td ({}) Tj ET",
    "clipped away": "q 10 10 5 5 re W n BT /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "clipped to nothing": "q 50 700 0 0 re W n BT /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "a layer that is off": "/OC /Off BDC BT /F1 11 Tf 50 700 Td ({}) Tj ET EMC",
    "a form in a layer that is off": "/OffForm Do",
    "alpha of a hundredth": "q /Faint gs BT /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "blended to nothing": "q /Screen gs BT /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "multiplied with paper": "q /Multiply gs BT 1 g /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "a soft mask": "q /Masked gs BT /F1 11 Tf 50 700 Td ({}) Tj ET Q",
    "white over other text": f"{WELL_KNOWN} BT 1 g /F1 11 Tf 50 700 Td ({{}}) Tj ET",
    "white under other text": f"BT 1 g /F1 11 Tf 50 700 Td ({{}}) Tj ET {WELL_KNOWN}",
    "outlined in white": "BT 1 Tr 1 G 1 g /F1 11 Tf 50 700 Td ({}) Tj ET",
    "a white separation": "/Ink cs 0 scn BT /F1 11 Tf 50 700 Td ({}) Tj ET",
    "glyphs that draw nothing": "BT /Blank 11 Tf 50 700 Td ({}) Tj ET",
    "below the page": "BT /F1 11 Tf 50 -400 Td ({}) Tj ET",
    "right of the page": "BT /F1 11 Tf 5000 700 Td ({}) Tj ET",
    "flattened": "BT /F1 11 Tf 1 0 0 0.001 50 700 Tm ({}) Tj ET",
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
    "far right": '<p style="position:absolute; left: 9999px">{}</p>',
    "moved by a transform": '<p style="transform: translateX(-9999px)">{}</p>',
    "translate": '<p style="translate: -200vw 0">{}</p>',
    "scale": '<p style="scale: 0">{}</p>',
    "scaled by a transform": '<p style="transform: scale(0)">{}</p>',
    "turned away": '<p style="transform: rotateY(90deg)">{}</p>',
    "a margin": '<p style="margin-left:-9999px">{}</p>',
    "media of screens": "<style>@media screen {{ .x {{ display:none }} }}</style><p class=x>{}</p>",
    "media of wide screens": "<style>@media (min-width: 600px) {{ .x {{ display:none }} }}</style><p class=x>{}</p>",
    "layer": "<style>@layer a {{ .x {{ display:none }} }}</style><p class=x>{}</p>",
    "supports": "<style>@supports (display:grid) {{ .x {{ display:none }} }}</style><p class=x>{}</p>",
    "nested rule": "<style>div {{ & .x {{ display:none }} }}</style><div><p class=x>{}</p></div>",
    "variable": "<style>:root {{ --d: none }} .x {{ display: var(--d) }}</style><p class=x>{}</p>",
    "variable for a colour": '<div style="--paper:#fff"><p style="color:var(--paper)">{}</p></div>',
    "fallback of a variable": '<p style="display: var(--gone, none)">{}</p>',
    "important": '<style>.x {{ display:none !important }}</style><p class=x style="display:block">{}</p>',
    "more specific": "<style>#y.x {{ display:none }} .x {{ display:block }}</style><p class=x id=y>{}</p>",
    "a child of a class": "<style>.a > p {{ opacity: 0 }}</style><div class=a><p>{}</p></div>",
    "opacity of two": '<div style="opacity:.2"><p style="opacity:.2">{}</p></div>',
    "alpha": '<p style="color: rgba(0, 0, 0, 0.01)">{}</p>',
    "alpha in hex": '<p style="color: #00000003">{}</p>',
    "white by hsl": '<p style="color: hsl(0 0% 100%)">{}</p>',
    "white inherited": '<div style="color:white"><p>{}</p></div>',
    "white by a rule": "<style>.x {{ color: white }}</style><p class=x>{}</p>",
    "white on white": '<div style="background:white"><p style="color:#fefefe">{}</p></div>',
    "dark on dark": '<div style="background:#112"><p style="color:#111">{}</p></div>',
    "fill colour": '<p style="-webkit-text-fill-color: transparent">{}</p>',
    "filter": '<p style="filter: opacity(0)">{}</p>',
    "size by the shorthand": '<p style="font: 0/0 serif">{}</p>',
    "size in em": '<div style="font-size:.05em"><p style="font-size:1em">{}</p></div>',
    "maximum of height": '<p style="max-height:0; overflow:hidden">{}</p>',
    "no width": '<p style="width:0; overflow:hidden; white-space:nowrap">{}</p>',
    "path of a clip": '<p style="clip-path: circle(0)">{}</p>',
    "inset of a clip": '<p style="clip-path: inset(100%)">{}</p>',
    "content visibility": '<p style="content-visibility:hidden">{}</p>',
    "closed dialog": "<dialog>{}</dialog>",
    "collapsed row": '<table><tr style="visibility:collapse"><td>{}</td></tr></table>',
    "in a field": "<textarea>{}</textarea><select><option>{}</option></select>",
    "no script": "<noscript>{}</noscript>",
    "a picture's text": "<svg><text>{}</text></svg>",
    "a frame": "<iframe srcdoc='{}'>{}</iframe>",
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


EXTRAS = """
/ExtGState << /Clear << /ca 0 /CA 0 >> /Tint << /ca 0.06 /CA 0.06 >> /Half << /ca 0.5 /CA 0.5 >>
/Faint << /ca 0.01 /CA 0.01 >> /Screen << /BM /Screen /ca 0 /CA 0 >>
/Multiply << /BM /Multiply >> /Masked << /SMask << /S /Luminosity /G 9 0 R >> >> >>
/XObject << /Form 6 0 R /Scan 7 0 R /White 8 0 R /Inked 18 0 R /Cover 10 0 R /OffForm 11 0 R >>
/Properties << /Off 12 0 R /On 17 0 R >> /Pattern << /Paper 13 0 R >>
/ColorSpace << /Ink [/Separation /Ink /DeviceGray << /FunctionType 2 /Domain [0 1] /C0 [1] /C1 [0] /N 1 >>] >>
"""


def pdf(visible: str, hidden: str, way: str) -> bytes:
    """One page; `way` is one of PDF_WAYS, or a content stream with {} where the text goes."""
    text = _literal(hidden)
    drawn = PDF_WAYS.get(way, way).replace("{}", text)
    stream = f"BT /F1 11 Tf 50 780 Td ({_literal(visible)}) Tj ET\n{drawn}"
    box = "/BBox [0 0 595 842]"
    fonts = "/Font << /F1 3 0 R /Blank 14 0 R >>"
    pixel = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    form = f"/Type /XObject /Subtype /Form {box} /Resources << {fonts} >>"
    tile = "/TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9 /Resources << >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [12 0 R 17 0 R] /D << /OFF [12 0 R] >> >> >>",
        "<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << {fonts} {EXTRAS} >> /Contents 5 0 R >>",
        _stream("", stream),
        _stream(form, f"BT /F1 11 Tf 3 Tr 50 700 Td ({text}) Tj ET"),
        _stream(pixel, "x"),
        _stream(pixel, "\xff"),
        _stream(f"{form} /Group << /S /Transparency /CS /DeviceGray >>", "0 g 0 0 595 842 re f"),
        _stream(form, "1 g 40 690 500 30 re f"),
        _stream(f"{form} /OC 12 0 R", f"BT /F1 11 Tf 50 700 Td ({text}) Tj ET"),
        "<< /Type /OCG /Name (Off) >>",
        _stream(f"/PatternType 1 /PaintType 1 {tile}", "1 g 0 0 9 9 re f"),
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] /FirstChar 32 "
        f"/LastChar 126 /Widths [{'500 ' * 95}] /CharProcs << /none 15 0 R >> /Resources << >> "
        f"/Encoding << /Differences [32 {'/none ' * 95}] >> /ToUnicode 16 0 R >>",
        _stream("", "500 0 d0"),
        _stream("", "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange "
                    "1 beginbfrange <20> <7e> <0020> endbfrange endcmap end"),
        "<< /Type /OCG /Name (On) >>",
        _stream(pixel.replace("/Width 1 /Height 1", "/Width 90 /Height 90"), "\x00\xff\xff" * 2700),
    ]  # fmt: skip
    body, offsets = b"%PDF-1.5\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return body + (head + tail).encode()


def _stream(entries: str, content: str) -> str:
    return f"<< {entries} /Length {len(content)} >>\nstream\n{content}\nendstream"


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
