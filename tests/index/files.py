"""Real files of every format, from the libraries that others write them with; by hand where they are few bytes."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence

import docx
import openpyxl
import pptx
from pptx.util import Inches
from reportlab.lib import pdfencrypt
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate

OFFICE_NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
)
GRADES = (("Grade", "Days"), ("A", "30"), ("B", "25"))


def make_docx(*paragraphs: str, title: str = "") -> bytes:
    """A heading, the paragraphs, a heading below it and a table."""
    document = docx.Document()
    document.core_properties.title = title
    document.add_heading("Leave", 1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.add_heading("Grades", 2)
    table = document.add_table(0, 2)
    for row in GRADES:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    return _saved(document)


def make_pptx(*slides: tuple[str, str]) -> bytes:
    """A slide for each title and text, and a last one with a table."""
    deck = pptx.Presentation()
    for title, text in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Grades"
    table = slide.shapes.add_table(3, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for at, row in enumerate(GRADES):
        for column, text in enumerate(row):
            table.cell(at, column).text = text
    return _saved(deck)


def make_xlsx(sheets: Mapping[str, Iterable[Sequence[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return _saved(book)


def make_pdf(*sections: tuple[str, str], password: str = "") -> bytes:
    """A heading and a paragraph for each section."""
    styles, buffer = getSampleStyleSheet(), io.BytesIO()
    flow = [
        Paragraph(text, styles[style])
        for section in sections
        for text, style in zip(section, ("Heading1", "BodyText"), strict=True)
    ]
    encrypt = pdfencrypt.StandardEncryption(password) if password else None
    SimpleDocTemplate(buffer, encrypt=encrypt).build(flow)
    return buffer.getvalue()


def make_raw_pdf(page: bytes, *more: bytes) -> bytes:
    """One page: its own dictionary entries, then objects from number 4 on, as they are."""
    kids = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", kids, b"<</Type/Page/Parent 2 0 R%s>>" % page, *more]
    pdf, offsets = b"%PDF-1.5\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(pdf))
    return pdf + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def make_scan() -> bytes:
    """A page that is a picture."""
    image = b"/Type/XObject/Subtype/Image/Width 10/Height 10/ColorSpace/DeviceGray/BitsPerComponent 8"
    return make_raw_pdf(
        b"/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>",
        b"<</Length 28>>stream\nq 612 0 0 792 0 0 cm /I Do Q\nendstream",
        b"<</Length 100%s>>stream\n%s\nendstream" % (image, bytes(100)),
    )


def make_odt(body: str) -> bytes:
    content = f"<office:document-content {OFFICE_NAMES}><office:body><office:text>{body}</office:text></office:body>"
    return make_zip({"content.xml": f'<?xml version="1.0"?>{content}</office:document-content>'}, "opendocument.text")


def make_ods(name: str, rows: Iterable[Sequence[str]]) -> bytes:
    cells = "".join(f"<table:table-row>{''.join(_ods_cell(cell) for cell in row)}</table:table-row>" for row in rows)
    content = (
        f'<?xml version="1.0"?><office:document-content {OFFICE_NAMES}><office:body><office:spreadsheet>'
        f'<table:table table:name="{name}">{cells}</table:table></office:spreadsheet></office:body>'
    )
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry'
        ' manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
    )
    parts = {
        "META-INF/manifest.xml": f"{manifest}</manifest:manifest>",
        "content.xml": f"{content}</office:document-content>",
    }
    return make_zip(parts, "opendocument.spreadsheet")


def make_epub(title: str, *chapters: str) -> bytes:
    names = [f"c{number}" for number in range(len(chapters))]
    items = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile'
        ' full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    pages = {
        f"{name}.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapter}</body></html>'
        for name, chapter in zip(names, chapters, strict=True)
    }
    return make_zip({"META-INF/container.xml": container, "book.opf": package, **pages}, "epub+zip")


def make_notebook(*cells: tuple[str, str], printed: str = "") -> bytes:
    """Cells of a kind and a source; each code cell printed the same."""
    output = {"output_type": "stream", "name": "stdout", "text": [printed]}
    written = [
        {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
        | ({"outputs": [output], "execution_count": 1} if kind == "code" else {})
        for kind, source in cells
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"language": "python"}}}
    return json.dumps(notebook | {"cells": written}).encode()


def make_zip(parts: Mapping[str, str], kind: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind:
            archive.writestr("mimetype", f"application/{kind if '+' in kind else f'vnd.oasis.{kind}'}")
        for name, text in parts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def replace_part(file: bytes, name: str, parts: Iterable[bytes]) -> bytes:
    """The same archive with other contents in one of its files."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(file)) as before,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as after,
    ):
        for other in before.namelist():
            if other != name:
                after.writestr(other, before.read(other))
        with after.open(name, "w") as written:
            for part in parts:
                written.write(part)
    return buffer.getvalue()


def _ods_cell(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def _saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]  # none of the libraries says what it makes
    return buffer.getvalue()
