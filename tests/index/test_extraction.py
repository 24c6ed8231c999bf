import io
import random
import zipfile

import pytest

from index.documents import DocumentError
from index.extraction import extract_document

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DOCUMENT_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def make_docx(*paragraphs: str) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{DOCUMENT_TYPE}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{text}')
    return buffer.getvalue()


def make_pdf(text: str) -> bytes:
    content = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(pdf))
    return pdf + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def reason(data: bytes, path: str) -> str:
    with pytest.raises(DocumentError) as caught:
        extract_document(data, path)
    return caught.value.message


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a.md", b"# Leave\n\nThirty days of vacation."),
        ("a.txt", b"Leave: thirty days of vacation."),
        ("a.html", b"<html><body><h1>Leave</h1><p>Thirty days of <b>vacation</b>."),
        ("a.pdf", make_pdf("Thirty days of vacation")),
        ("a.DOCX", make_docx("Thirty days of vacation")),
    ],
)
def test_every_format_gives_its_text(path: str, data: bytes) -> None:
    assert "vacation" in extract_document(data, path).text


def test_the_title_is_the_front_matters_else_a_heading_else_the_name() -> None:
    assert extract_document(b"---\ntitle: Given\n---\n# Heading\n\ntext", "x/y.md").title == "Given"
    assert extract_document(b"```\n# comment\n```\n\n# The *first* one\n\ntext", "x/y.md").title == "The first one"
    assert extract_document(b"just text", "x/y z.md").title == "y z"
    page = b"<html><head><meta name=a content=b><title>Caf&eacute;</title></head><body><h1>H</h1>text</body></html>"
    assert extract_document(page, "y.html").title == "Caf\u00e9"


def test_front_matter_and_page_metadata_are_not_text() -> None:
    assert extract_document(b"---\ntitle: Secret\n---\nbody", "a.md").text == "body"
    page = b"<head><title>Secret</title><meta name=description content=hidden><script>x()</script></head><p>body"
    text = extract_document(page, "a.html").text
    assert "body" in text
    assert not {"Secret", "hidden", "x()"} & set(text.split())


def test_what_the_head_says_is_read() -> None:
    head = b"---\nowner: ann\nlicense: CC0\nexpires_at: 2031-05-06\nreview_by: 2030-01-01\n---\ntext"
    document = extract_document(head, "a.md")
    assert (document.owner, document.licence) == ("ann", "CC0")
    assert document.expires_at is not None
    assert document.expires_at.year == 2031
    assert document.review_by is not None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_usual_encodings_are_read(encoding: str) -> None:
    assert extract_document("Caf\u00e9 \u00fcber alles".encode(encoding), "a.txt").text == "Caf\u00e9 \u00fcber alles"


def test_line_ends_and_control_characters_are_made_plain() -> None:
    text = "\r\n".join(["one", "two \x00three"] + ["four"] * 300)
    assert extract_document(text.encode(), "a.txt").text.startswith("one\ntwo three\nfour")


def test_bad_files_say_what_is_wrong() -> None:
    junk = random.Random(1).randbytes(4000)
    assert "not text" in reason(junk, "junk.md")
    assert "not text" in reason(junk, "junk.html")
    assert "cannot be opened" in reason(junk, "junk.pdf")
    assert "cannot be opened" in reason(make_pdf("cut short")[:200], "a.pdf")
    assert "cannot be opened" in reason(b"PK\x03\x04" + junk, "a.docx")
    assert "no text" in reason(b"", "empty.md")
    assert "no text" in reason(b"---\ntitle: Only a head\n---\n", "head.md")
    assert "no text" in reason(b"<p></p>", "a.html")


def test_a_document_that_unpacks_to_far_more_is_refused() -> None:
    assert "cannot be opened" in reason(make_docx(*["a" * 1000] * 120_000), "bomb.docx")


def test_a_text_without_end_is_refused() -> None:
    assert "characters" in reason(b"word " * 2_000_000, "a.txt")
