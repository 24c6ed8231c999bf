import random

import pytest

from index.chunks import cut_chunks
from index.documents import DocumentError
from index.extraction import extract_document
from index.formats import SUFFIXES
from tests.index.files import (
    GRADES,
    make_docx,
    make_epub,
    make_notebook,
    make_ods,
    make_odt,
    make_pdf,
    make_pptx,
    make_xlsx,
    make_zip,
)

PARENTS = "Parents take up to twelve weeks after a birth, in one piece or in two, and say so three months before."
PAGE = f"<h1>Leave</h1><p>{PARENTS}</p><h2>Grades</h2><table><tr><th>Grade<th>Days<tr><td>A<td>30</table>"
ODT = (
    f'<text:h text:outline-level="1">Leave</text:h><text:p>{PARENTS}</text:p>'
    '<text:h text:outline-level="2">Grades</text:h><table:table>'
    "<table:table-row><table:table-cell><text:p>Grade</text:p></table:table-cell>"
    "<table:table-cell><text:p>Days</text:p></table:table-cell></table:table-row>"
    "<table:table-row><table:table-cell><text:p>A</text:p></table:table-cell>"
    "<table:table-cell><text:p>30</text:p></table:table-cell></table:table-row></table:table>"
)
RST = f"Leave\n=====\n\n{PARENTS}\n\nGrades\n------\n\n=====  ====\nGrade  Days\n=====  ====\nA      30\n=====  ====\n"
RTF = (
    r"{\rtf1\ansi\ansicpg1252{\stylesheet{\s1\outlinelevel0 heading 1;}{\s2\outlinelevel1 heading 2;}}"
    rf"\pard\s1\outlinelevel0 Leave\par\pard {PARENTS}\par\pard\s2\outlinelevel1 Grades\par"
    r"\trowd\cellx1000\cellx2000\pard\intbl Grade\cell Days\cell\row"
    r"\trowd\cellx1000\cellx2000\pard\intbl A\cell 30\cell\row}"
)
STRUCTURED = {
    "a.md": f"# Leave\n\n{PARENTS}\n\n## Grades\n\n| Grade | Days |\n| --- | --- |\n| A | 30 |\n".encode(),
    "a.html": PAGE.encode(),
    "a.rst": RST.encode(),
    "a.DOCX": make_docx(PARENTS),
    "a.odt": make_odt(ODT),
    "a.epub": make_epub("The handbook", PAGE.replace("<tr><td>A<td>30", "<tr><td>A</td><td>30</td></tr>")
                        .replace("<th>Grade<th>Days", "<th>Grade</th><th>Days</th></tr>")),
    "a.rtf": RTF.encode(),
    "a.ipynb": make_notebook(("markdown", f"# Leave\n{PARENTS}"),
                             ("markdown", "## Grades\n\n| Grade | Days |\n| --- | --- |\n| A | 30 |")),
}  # fmt: skip
SHEETS = {
    "a.csv": b"Grade,Days\nA,30\nB,25\n",
    "semicolons.csv": b"Grade;Days\nA;30\nB;25\n",
    "a.tsv": b"Grade\tDays\nA\t30\nB\t25\n",
    "a.xlsx": make_xlsx({"Leave": GRADES}),
    "a.ods": make_ods("Leave", GRADES),
}


def reason(data: bytes, path: str) -> str:
    with pytest.raises(DocumentError) as caught:
        extract_document(data, path)
    return caught.value.message


@pytest.mark.parametrize("path", STRUCTURED)
def test_headings_paragraphs_and_tables_survive_in_every_format(path: str) -> None:
    document = extract_document(STRUCTURED[path], path)
    chunks = cut_chunks("", document.text)
    [told] = [chunk for chunk in chunks if "twelve weeks" in chunk.text]
    [table] = [chunk for chunk in chunks if "30" in chunk.text]
    assert (told.heading, table.heading) == ("Leave", "Leave > Grades")
    rows = ["".join(line.split()) for line in table.text.splitlines()]
    assert "|Grade|Days|" in rows
    assert "|A|30|" in rows
    assert document.title == ("The handbook" if path == "a.epub" else "Leave")


@pytest.mark.parametrize("path", SHEETS)
def test_every_row_of_a_sheet_stands_with_its_columns_names(path: str) -> None:
    document = extract_document(SHEETS[path], path)
    assert "Grade: A; Days: 30\n\nGrade: B; Days: 25" in document.text
    assert document.title == path.split(".")[0]
    if path in ("a.xlsx", "a.ods"):
        assert cut_chunks(document.title, document.text)[-1].heading == "Leave"


def test_a_pdf_keeps_its_headings() -> None:
    document = extract_document(make_pdf(("Leave", PARENTS * 3), ("Travel", "Book the train. " * 30)), "a.pdf")
    assert {chunk.heading for chunk in cut_chunks("", document.text)} == {"Leave", "Travel"}


def test_slides_keep_their_titles() -> None:
    document = extract_document(make_pptx(("Evacuation", "Leave by the stairs"), ("Meeting", "At the oak")), "a.pptx")
    found = {chunk.heading: chunk.text for chunk in cut_chunks("", document.text)}
    assert set(found) == {"Evacuation", "Meeting", "Grades"}
    assert "by the stairs" in found["Evacuation"]
    assert "| B | 25 |" in found["Grades"]


def test_a_mail_is_its_subject_people_and_text() -> None:
    mail = b"From: Ann <ann@example.org>\nSubject: =?utf-8?q?Caf=C3=A9_hours?=\nContent-Type: text/plain\n\nFrom nine."
    document = extract_document(mail, "a.eml")
    assert document.title == "Caf\u00e9 hours"
    assert {"From nine.", '**From**: "Ann" <ann@example.org>'} <= set(document.text.splitlines())


def test_every_suffix_is_tried_here() -> None:
    tried = {*STRUCTURED, *SHEETS, "a.pdf", "a.pptx", "a.eml", "a.txt"}
    named_alike = {".markdown", ".mdown", ".text", ".htm", ".xhtml", ".rest"}
    assert {f".{path.split('.')[1].lower()}" for path in tried} | named_alike == SUFFIXES


def test_the_title_is_the_front_matters_else_a_heading_else_the_name() -> None:
    assert extract_document(b"---\ntitle: Given\n---\n# Heading\n\ntext", "x/y.md").title == "Given"
    assert extract_document(b"```\n# comment\n```\n\n# The *first* one\n\ntext", "x/y.md").title == "The first one"
    assert extract_document(b"just text", "x/y z.md").title == "y z"
    assert extract_document(make_docx("text", title="The manual"), "a.docx").title == "The manual"
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


def test_line_ends_and_control_characters_are_made_plain() -> None:
    text = "\r\n".join(["one", "two \x00three"] + ["four"] * 300)
    assert extract_document(text.encode(), "a.txt").text.startswith("one\ntwo three\nfour")


@pytest.mark.parametrize("name", ["expires_at", "review_by"])
def test_a_date_that_cannot_be_read_is_named_and_none_is_none(name: str) -> None:
    for wrong in ("31.12.2026", "2026-13-01", "soon"):
        said = reason(f"---\n{name}: {wrong}\n---\ntext".encode(), "a.md")
        assert said == f"The {name} in its front matter is no date such as 2027-01-31."
    for none in ("", "none", "null", "~", '""', "# not yet"):
        document = extract_document(f"---\ntitle: A\n{name}: {none}\n---\ntext".encode(), "a.md")
        assert (document.text, document.expires_at, document.review_by) == ("text", None, None)


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_the_head_is_read_whatever_its_line_ends_and_control_characters(line_end: str) -> None:
    lines = [
        "---",
        "owner: a\x00nn",
        "licence: CC\x010",
        "expires_at: 2020-01-01",
        "---",
        "# Leave",
        "",
        "Thirty days. " * 50,
    ]
    document = extract_document(line_end.join(lines).encode(), "a.md")
    assert (document.owner, document.licence) == ("ann", "CC0")
    assert document.expires_at is not None
    assert document.text.startswith("# Leave\n\nThirty days.")


def test_long_runs_of_blanks_are_shortened_and_still_part_what_they_parted() -> None:
    text = extract_document(b"one" + b"\t" * 5_000_000 + b"two", "a.txt").text
    assert text.split() == ["one", "two"]
    assert len(text) == 106
    text = extract_document(b"# Leave" + b" " * 200 + b"\nThirty days." + b" \n" * 200 + b"    code", "a.md").text
    assert text == "# Leave\nThirty days.\n\n    code"


def test_half_a_character_in_a_notebook_is_left_out() -> None:
    text = extract_document(make_notebook(("markdown", "# Lea\ud83dve")), "a.ipynb").text
    assert text.strip() == "# Leave"


def test_a_long_table_in_a_page_becomes_records_and_a_short_one_stays() -> None:
    rows = "".join(f"| Printer {n} | HERON{n} |\n" for n in range(60))
    text = extract_document(f"# Printers\n\n| Name | Queue |\n|---|---|\n{rows}\nThe end.\n".encode(), "a.md").text
    assert "Name: Printer 7; Queue: HERON7\n" in text
    assert text.startswith("# Printers\n\n")
    assert text.endswith("\n\nThe end.\n")
    assert "|" not in text


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_junk_and_nothing_are_refused_in_every_format(suffix: str) -> None:
    junk = random.Random(1).randbytes(4000)
    assert "text" in (said := reason(junk, f"junk{suffix}")) or "cannot be opened" in said
    for nothing in (b"", b" \n\n"):
        said = reason(nothing, f"empty{suffix}")
        assert any(cause in said for cause in ("no text", "cannot be opened", "not a notebook"))


def test_text_without_end_is_refused() -> None:
    assert "characters" in reason(b"word " * 2_000_000, "a.txt")
    assert reason(b"# x\n\ny\n\n" * 20_001, "a.md") == "It has 20,001 headings; at most 20,000 are read."
    assert "characters" in reason(b"| n |\n|---|\n" + b"| x |\n" * 1_400_000, "a.md")[:80]


def test_an_archive_of_something_else_is_refused() -> None:
    for suffix in ("docx", "pptx", "xlsx", "odt", "ods", "epub"):
        said = reason(make_zip({"readme.txt": "hello"}), f"a.{suffix}")
        assert "cannot be opened" in said or "no text" in said
