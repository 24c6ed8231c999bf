"""Comparisons of known outcomes, as the arms would have left them."""

from collections.abc import Mapping, Sequence

from graph.answers import Citation, Route
from tandem.evals.arms import ArmName, Reply
from tandem.evals.comparison import ArmRun, Comparison, Outcome
from tandem.evals.finding import Finding
from tandem.evals.grading import grade_reply
from tandem.evals.qa import Asked

TOKENS: Mapping[ArmName, int] = {"prompt": 60, "tuned": 50, "retrieval": 400, "tuned+retrieval": 380, "tandem": 200}


def make_questions(answerable: int, unanswerable: int = 0) -> tuple[Asked, ...]:
    return tuple(
        Asked(question=f"Question {number}?", answers=(f"answer {number}",) if number < answerable else ())
        for number in range(answerable + unanswerable)
    )


def make_reply(text: str, route: Route = "direct", *, tokens: int = 100, citations: Sequence[Citation] = ()) -> Reply:
    return Reply(text, route, tuple(citations), max(0, tokens - 10), min(10, tokens), 250.0)


def make_comparison(
    questions: Sequence[Asked],
    right: Mapping[ArmName, Sequence[bool]],
    *,
    left_out: Mapping[ArmName, str] | None = None,
    places: Sequence[int | None] | None = None,
    tokens: Mapping[ArmName, int] = TOKENS,
) -> Comparison:
    """`right`: of each arm, which questions it got right; those that nothing answers, by declining."""
    arms = {}
    for arm, which in right.items():
        outcomes = []
        for asked, is_right in zip(questions, which, strict=True):
            route: Route = "declined" if is_right and not asked.answerable else "direct"
            reply = make_reply(asked.answers[0] if is_right and asked.answers else "no", route, tokens=tokens[arm])
            grade = grade_reply(asked, reply.text, declined=reply.declined)
            outcomes.append(Outcome(asked, reply, grade, 0.00002))
        arms[arm] = ArmRun(tuple(outcomes))
    finding = None if places is None else Finding(tuple(places), 0)
    return Comparison(tuple(questions), arms, left_out or {}, None, finding)


def first(count: int, of: int) -> list[bool]:
    """The first `count` are right."""
    return [number < count for number in range(of)]
