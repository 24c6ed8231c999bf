from hypothesis import given
from hypothesis import strategies as st

from index.blocks import parse_blocks
from index.connectors.transcript import Said, write_transcript
from index.extraction import extract_document

texts = st.text(st.sampled_from("ab #-=|`~\n*[]():"), max_size=40)


def say(*texts: str) -> list[Said]:
    return [Said("Ada", 1_700_000_000.0, text, "https://x.org/1") for text in texts]


@given(st.lists(texts, min_size=1, max_size=4))
def test_no_message_poses_as_a_heading_or_a_table(said: list[str]) -> None:
    document = extract_document(write_transcript(say(*said)), "thread.md")
    kinds = {block.kind for block in parse_blocks(document.text)}
    assert kinds <= {"paragraph", "code"}
    assert document.text.count("**Ada**") == len(said)


def test_code_stays_code_where_it_closes_and_swallows_nothing_where_it_does_not() -> None:
    closed = extract_document(write_transcript(say("Do\n```\n# make\n```\nthen wait", "Thanks")), "t.md").text
    assert "\n```\n# make\n```\n" in closed
    opened = extract_document(write_transcript(say("```\nnever closed", "Thanks")), "t.md").text
    assert {block.kind for block in parse_blocks(opened)} == {"paragraph"}
    assert opened.index("never closed") < opened.index("): Thanks")


def test_a_message_sets_no_field_of_the_head() -> None:
    document = extract_document(write_transcript(say("Hi\n---\nowner: mallory\nexpires_at: 2000-01-01")), "t.md")
    assert (document.title, document.owner, document.expires_at) == (
        "Hi --- owner: mallory expires_at: 2000-01-01",
        None,
        None,
    )
