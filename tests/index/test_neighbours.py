"""A hit comes with what stands right before and after it under the same headings, as an exact span of its document."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from index.chunks import cut_chunks, estimate_tokens
from index.neighbours import MOST_TOKENS, take_beginning, take_end
from tests.index.conftest import Room

WORDS = "the steering committee approves each request for travel abroad in writing and keeps a copy of it for ten years"
SENTENCES = [f"{WORDS.capitalize()} under rule {number}." for number in range(40)]


async def test_a_passage_that_was_cut_out_of_its_section_gets_what_was_cut_off(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    text = f"# Travel\n\n{' '.join(SENTENCES)}\n\n## Parking\n\nThere is none.\n"
    (folder / "travel.md").write_text(text)
    await room.look(await room.add(folder))
    chunks = await room.fetch("SELECT position, heading FROM chunks ORDER BY position")
    last = max(row["position"] for row in chunks if not row["heading"])
    hits = {hit.position: hit for hit in (await room.search("steering committee travel", k=50)).hits}
    assert last >= 3
    for position, hit in hits.items():
        assert hit.in_context in text
        assert bool(hit.before) == (0 < position <= last)
        assert bool(hit.after) == (position < last)
        assert max(map(estimate_tokens, (hit.before, hit.after))) <= MOST_TOKENS
        assert "none" not in hit.after


@given(st.text(alphabet="ab. !\n-1", max_size=400), st.integers(0, 30))
def test_whole_sentences_or_lines_are_taken_as_long_as_they_fit(text: str, tokens: int) -> None:
    beginning, end = take_beginning(text, tokens), take_end(text, tokens)
    assert text.startswith(beginning)
    assert text.endswith(end)
    assert estimate_tokens(beginning) <= tokens + 1
    assert estimate_tokens(end) <= tokens + 1


def test_all_chunks_and_their_neighbours_are_the_document() -> None:
    text = " ".join(SENTENCES)
    chunks = [chunk.text for chunk in cut_chunks("Travel", text)]
    for one, other in pairwise(chunks):
        assert take_end(one, MOST_TOKENS) + other in text
        assert one + take_beginning(other, MOST_TOKENS) in text
