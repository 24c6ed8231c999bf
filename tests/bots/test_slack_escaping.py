"""Nothing that a model or a document wrote is markup in Slack, and nothing that a person wrote is lost."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from bots.slack.blocks import BODY, lay_out, progress
from bots.slack.escaping import escape_markdown, escape_mrkdwn, link, mentions, read_text
from bots.surface import Message
from graph.answers import Citation
from tests.doubles.slack_blocks import UPDATE_TEXT_BYTES, check_content
from tests.doubles.slack_workspace import Workspace, texts_of, visible_text

PING = "<!channel> <!here|x> <@U1> <@W2|w> <!subteam^S1|team> <#C1> <!date^1^{date}|x> @everyone &lt;!here&gt; <https://x|y>"
texts = st.text(alphabet=st.sampled_from("ab<>&!@#|^:/*_`~[]()\n UC1&lt;&gt;&amp;"), max_size=400) | st.text(
    max_size=200
)
uris = (
    st.sampled_from(["https://a.example/x?a=1&b=<2>|3", "file:///docs/hand%20book.md", "mailto:a@b.c", "", "x y"])
    | texts
)


def _shown(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@given(texts)
@example(PING)
def test_markdown_has_no_markup_and_reads_as_written(text: str) -> None:
    escaped = escape_markdown(text)
    assert "<" not in escaped
    assert _shown(escaped) == text


@given(texts)
@example(PING)
def test_mrkdwn_has_no_markup_and_reads_as_written(text: str) -> None:
    escaped = escape_mrkdwn(text)
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", escaped)
    assert _shown(escaped) == text


@given(st.lists(texts, max_size=8))
def test_streamed_pieces_make_no_markup_together(pieces: list[str]) -> None:
    assert "<" not in "".join(escape_markdown(piece) for piece in pieces)


@given(uris, texts)
def test_a_source_is_one_link_or_none(uri: str, title: str) -> None:
    shown = link(uri, title)
    markup = re.findall(r"<[^>]*>", shown)
    assert shown.count("<") == shown.count(">") == len(markup) <= 1
    assert all(re.fullmatch(r"<https?://[^\s<>|]+\|[^<>|]+>", found) for found in markup)


def test_a_web_page_is_a_link_and_a_file_is_its_path() -> None:
    assert link("https://a.example/x?a=1&b=2", "A & B") == "<https://a.example/x?a=1&amp;b=2|A &amp; B>"
    assert link("file:///docs/hand%20book.md", "Handbook") == "Handbook — `/docs/hand book.md`"


citations = st.builds(
    Citation, n=st.integers(1, 99), title=texts, uri=uris, quote=texts, score=st.floats(0, 1), indexed_at=st.none()
)
messages = st.builds(
    Message,
    markdown=texts | st.integers(0, 30).map(lambda n: ("<!channel> & word" * 40 + "\n") * n),
    citations=st.lists(citations, max_size=12).map(tuple),
    receipt=texts,
    feedback_for=st.none() | st.text(alphabet="abc123-", min_size=1, max_size=64),
)


@given(messages, texts)
@example(Message(PING, (Citation(1, PING, PING, PING, 1.0),), PING, "a1"), PING)
def test_every_message_is_one_that_slack_takes_and_pings_nobody(message: Message, asked: str) -> None:
    workspace = Workspace()
    for part in [*lay_out(message, asked), progress(message.receipt, message.markdown, asked)]:
        content = {"text": part.text, "blocks": part.blocks}
        check_content(content, text_bytes=UPDATE_TEXT_BYTES)
        workspace.note_pings(content, links_names=False)
        assert not [text for text in texts_of(content) if re.search(r"<(?!https?://)", text)]
    assert workspace.pings == []


def test_a_long_answer_is_split_and_closed_once() -> None:
    text = "\n\n".join(f"Paragraph {n}: " + "word " * 90 for n in range(50))
    cited = Citation(1, "Time off", "https://wiki.example/x", "q", 0.5)
    parts = lay_out(Message(text, (cited,), "documents · 1.2 s", "a1"))
    assert len(parts) > 2
    assert all(len(part.blocks[0]["text"]) <= BODY for part in parts)
    assert [[block["type"] for block in part.blocks] for part in parts] == [
        *[["markdown"]] * (len(parts) - 1),
        ["markdown", "section", "context", "context_actions", "actions"],
    ]
    shown = " ".join(visible_text({"blocks": part.blocks}) for part in parts)
    assert [int(n) for n in re.findall(r"Paragraph (\d+):", shown)] == list(range(50))


def test_what_a_person_wrote_is_read_as_they_see_it() -> None:
    written = (
        "<@UBOT> is <https://a.example/x?a=1&amp;b=2|the page> of <@U9|ann> or <#C7|general> &lt;3 for <!here>,"
        " <https://b.example|b.example>, <mailto:a@b.c|a@b.c>?"
    )
    assert read_text(written, "UBOT") == ("is the page of @ann or #general <3 for @here, b.example, a@b.c?")
    assert mentions(written) == {"UBOT", "U9"}


@given(texts)
def test_reading_never_fails(text: str) -> None:
    assert isinstance(read_text(text, "UBOT"), str)
    assert isinstance(mentions(text), set)
