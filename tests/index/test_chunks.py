from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunks import MAX_TOKENS, cut_chunks, estimate_tokens

VOCABULARY = "team travel leave badge printer policy approval monthly the of a and form office on with by visit"
WORDS = st.sampled_from(VOCABULARY.split(" "))
SENTENCE = st.lists(WORDS, min_size=3, max_size=14).map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPH = st.lists(SENTENCE, min_size=1, max_size=5).map(" ".join)
HEADING = st.tuples(st.integers(1, 4), SENTENCE).map(lambda pair: "#" * pair[0] + " " + pair[1])
CODE = st.lists(SENTENCE, min_size=1, max_size=4).map(lambda lines: "\n".join(["```", *lines, "```"]))
TABLE = st.lists(SENTENCE, min_size=2, max_size=4).map(lambda rows: "\n".join(f"| {row} | x |" for row in rows))
DOCUMENT = st.lists(st.one_of(PARAGRAPH, PARAGRAPH, PARAGRAPH, HEADING, CODE, TABLE), min_size=1, max_size=30)


def contexts(blocks: list[str]) -> set[str]:
    return {chunk.with_context("Title") for chunk in cut_chunks("Title", "\n\n".join(blocks))}


@given(DOCUMENT.map("\n\n".join))
def test_no_text_is_lost_and_no_chunk_is_too_large(text: str) -> None:
    chunks = cut_chunks("Title", text)
    assert "".join(chunk.text for chunk in chunks) == text
    assert all(estimate_tokens(chunk.text) <= MAX_TOKENS for chunk in chunks)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))


@given(st.text(max_size=3000))
def test_no_word_of_any_text_is_lost(text: str) -> None:
    chunks = cut_chunks("Title", text)
    assert "".join(chunk.text for chunk in chunks).split() == text.split()
    assert all(estimate_tokens(chunk.text) <= MAX_TOKENS for chunk in chunks)


@given(DOCUMENT, st.data())
@settings(max_examples=300)
def test_an_edit_inside_one_paragraph_changes_at_most_two_chunks(blocks: list[str], data: st.DataObject) -> None:
    at = data.draw(st.sampled_from(range(len(blocks))).filter(lambda at: blocks[at][0] not in "#`|"))
    words = blocks[at].split()
    place = data.draw(st.integers(min(3, len(words) - 1), len(words) - 1))
    words[place] = "amended." if words[place].endswith(".") else "amended"
    edited = [*blocks[:at], " ".join(words), *blocks[at + 1 :]]
    assert len(contexts(edited) - contexts(blocks)) <= 2


@given(DOCUMENT, DOCUMENT)
def test_sections_that_follow_do_not_change_with_what_is_before_them(before: list[str], after: list[str]) -> None:
    fixed = ["# Fixed", "This section stays.", "## Below", *after]
    alone = contexts(fixed)
    assert alone <= contexts([*before, "An end.", *fixed])


@given(CODE, TABLE, st.lists(PARAGRAPH, min_size=4, max_size=12))
def test_code_and_tables_stay_whole(code: str, table: str, paragraphs: list[str]) -> None:
    middle = len(paragraphs) // 2
    blocks = [*paragraphs[:middle], code, *paragraphs[middle:], table]
    texts = [chunk.text for chunk in cut_chunks("Title", "\n\n".join(blocks))]
    for block in (code, table):
        if estimate_tokens(block) <= MAX_TOKENS:
            assert any(block in text for text in texts)


def test_a_chunk_knows_the_headings_over_it() -> None:
    text = "# Handbook\n\n## Leave\n\n### Sick\n\nCall in.\n\n## Travel\n\nBy train.\n"
    assert [chunk.heading for chunk in cut_chunks("Handbook", text)] == ["Leave > Sick", "Travel"]
    first, second = cut_chunks("Handbook", text)
    assert first.with_context("Handbook").startswith("Handbook > Leave > Sick\n")
    assert "## Leave" in first.text
    assert "Call in." not in second.text


def test_text_without_a_space_is_cut_all_the_same() -> None:
    chunks = cut_chunks("Title", "a1" * 5000)
    assert "".join(chunk.text for chunk in chunks) == "a1" * 5000
    assert max(estimate_tokens(chunk.text) for chunk in chunks) <= MAX_TOKENS


def test_repetitive_text_is_cut_in_reasonable_time() -> None:
    assert len(cut_chunks("Title", "The same line again.\n\n" * 20_000)) > 500


def test_a_heading_of_any_length_does_not_drown_its_text() -> None:
    [chunk, *_] = cut_chunks("Title", "# " + "very " * 200 + "long\n\nBody.")
    assert len(chunk.heading) <= 200


def test_a_title_of_any_length_is_not_said_twice() -> None:
    title = "A very long title " * 10
    [chunk] = cut_chunks(title.strip(), f"# {title}\n\nBody.")
    assert chunk.heading == ""
