"""The memory of a thread: its last exchanges, as the checkpointer keeps them."""

from typing import NotRequired, TypedDict

from graph.answers import Answer, Question, Route, cited_documents

REMEMBERED = 8  # exchanges; older ones no longer help a follow-up


class Exchange(TypedDict):
    """One question and its answer, as the checkpointer keeps them; `cited` are the documents that it stands on."""

    question_id: str
    question: str
    standalone: str
    answer: str
    cited: NotRequired[list[int]]
    route: NotRequired[Route]


def make_exchange(question: Question, standalone: str, answer: Answer) -> Exchange:
    return Exchange(
        question_id=question.id,
        question=question.text,
        standalone=standalone,
        answer=answer.answer,
        cited=cited_documents(answer.citations),
        route=answer.route,
    )


def keep_recent(history: list[Exchange], added: list[Exchange]) -> list[Exchange]:
    """Appends exchanges that are new; the same question, answered again after a crash, stays one exchange."""
    known = {exchange["question_id"] for exchange in history}
    return (history + [exchange for exchange in added if exchange["question_id"] not in known])[-REMEMBERED:]
