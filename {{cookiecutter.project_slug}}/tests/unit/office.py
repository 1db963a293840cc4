"""Files that are ZIP archives of XML, written by hand: what Office and others write, and what they write seldom."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STRICT = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
MORE = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return file.getvalue()


def relations(targets: Mapping[str, str], kind: str = KIND) -> str:
    """From a part's name to the kind of relation."""
    entries = "".join(
        f'<Relationship Id="rId{n}" Type="{kind}/{what}" Target="{target}"/>'
        for n, (target, what) in enumerate(targets.items())
    )
    return f'<Relationships xmlns="{RELATIONS}">{entries}</Relationships>'


def word(body: str, main: str = "word/document.xml", namespace: str = W, **parts: str) -> bytes:
    """`parts`: the inner XML of styles, numbering, footnotes, header1, comments…"""
    folder, _, file = main.rpartition("/")
    kinds = {f"{name}.xml": name.rstrip("0123456789") for name in parts}
    inner = {f"{folder}/{name}.xml": f"<w:{name.rstrip('0123456789')} {namespace}>{xml}</w:{name.rstrip('0123456789')}>"
             for name, xml in parts.items()}  # fmt: skip
    inner = {
        name: xml.replace("<w:header ", "<w:hdr ").replace("</w:header>", "</w:hdr>") for name, xml in inner.items()
    }
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations({main: "officeDocument"}),
            main: f"<w:document {namespace} {R} {MORE}><w:body>{body}</w:body></w:document>",
            f"{folder}/_rels/{file}.rels": relations(kinds),
            **inner,
        }
    )


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{r(text)}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def table(*rows: list[str]) -> str:
    cells = ("".join(f"<w:tc>{cell if cell.startswith('<') else p(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def workbook(
    sheets: Mapping[str, str], strings: str = "", styles: str = "", states: Mapping[str, str] | None = None
) -> bytes:
    """From a sheet's name to the inner XML of its data."""
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n + 1}" r:id="rId{n}" state="{(states or {}).get(name, "visible")}"/>'
        for n, name in enumerate(sheets)
    )
    targets = {f"worksheets/sheet{n}.xml": "worksheet" for n in range(len(sheets))}
    targets |= {"sharedStrings.xml": "sharedStrings", "styles.xml": "styles"}
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations({"xl/workbook.xml": "officeDocument"}),
            "xl/workbook.xml": f"<workbook {R}><sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(targets),
            "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
            "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>",
            **{f"xl/worksheets/sheet{n}.xml": f"<worksheet>{xml}</worksheet>" for n, xml in enumerate(sheets.values())},
        }
    )


def slides(*contents: str, hidden: int | None = None, notes: str = "", more: Mapping[str, str] | None = None) -> bytes:
    """Each the shapes of a slide; `notes` are those of the first; `more` are other parts."""
    drawing = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:p="urn:p"'
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations({"ppt/presentation.xml": "officeDocument"}),
        "ppt/presentation.xml": f"<p:presentation xmlns:p='urn:p' {R}><p:sldIdLst>"
        + "".join(f'<p:sldId id="{256 + n}" r:id="rId{n}"/>' for n in range(len(contents)))
        + "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations({f"slides/slide{n}.xml": "slide" for n in range(len(contents))}),
    }
    for n, shapes in enumerate(contents):
        show = ' show="0"' if n == hidden else ""
        parts[f"ppt/slides/slide{n}.xml"] = (
            f"<p:sld {drawing}{show}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        )
    if notes:
        parts["ppt/slides/_rels/slide0.xml.rels"] = relations({"../notesSlides/notes1.xml": "notesSlide"})
        parts["ppt/notesSlides/notes1.xml"] = (
            f"<p:notes {drawing}><p:cSld><p:spTree>{shape(notes)}</p:spTree></p:cSld></p:notes>"
        )
    return archive(parts | (more or {}))


def shape(text: str, kind: str = "", top: int = 0) -> str:
    """A shape of paragraphs, one a line; `kind` is that of its placeholder, `top` in half inches."""
    place = f'<a:off x="0" y="{top * 457_200}"/>' if top else ""
    holder = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else ""
    paragraphs = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return (
        f"<p:sp><p:nvSpPr><p:cNvPr id='1' name='x'/>{holder}</p:nvSpPr>{place}<p:txBody>{paragraphs}</p:txBody></p:sp>"
    )
