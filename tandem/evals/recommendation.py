"""The recommendation: one paragraph for people, of what was measured and of how sure that is."""

from collections.abc import Iterator

from tandem.evals.arms import ArmName
from tandem.evals.bootstrap import Estimate
from tandem.evals.comparison import Comparison

CALLED = {
    "prompt": "prompting alone",
    "retrieval": "retrieval",
    "tuned": "fine-tuning",
    "tuned+retrieval": "fine-tuning with retrieval",
    "tandem": "Tandem's own choice",
}
CALL_FOR = {
    "prompt": "no more than a good prompt: nothing else is shown to help",
    "retrieval": "retrieval",
    "tuned": "fine-tuning",
    "tuned+retrieval": "both fine-tuning and retrieval",
}
EACH_ITS_OWN = "both fine-tuning and retrieval, chosen question by question"
PLAIN: tuple[ArmName, ...] = ("prompt", "retrieval", "tuned", "tuned+retrieval")
"""The cheapest to keep up first: nothing, documents that are indexed, a model that is trained again, both."""
READERS: tuple[ArmName, ...] = ("retrieval", "tuned+retrieval")
POOR = 0.5
SAVING = 0.9
MATTERS = 0.05
"""Of all questions: a difference that would matter if it were not luck."""
MARGIN = 0.05
"""Of all questions: what Tandem may get fewer right, for sure, and still be said to get no fewer."""
GAP = 0.1
"""Of the answerable questions, from which on it is told where they are lost."""


def recommend(compared: Comparison) -> str:
    """Of the arms that were asked, the one that is cheapest to keep up among those that none is surely better than.

    Surely: the interval of the difference, question by question, lies above zero. Where Tandem's choice is surely
    better than each of them, it takes both.
    """
    return " ".join(_sentences(compared))


def choose_arm(compared: Comparison) -> ArmName | None:
    """None when Tandem alone was asked."""
    plain = [arm for arm in PLAIN if arm in compared.arms]
    if not plain:
        return None
    best = _find_best(compared)
    return next(arm for arm in plain if arm == best or not compared.difference(best, arm).is_positive)


def _is_choice_best(compared: Comparison) -> bool:
    """Whether Tandem's choice is surely better than each arm by itself, one with an adapter among them."""
    if "tandem" not in compared.arms or not {"tuned", "tuned+retrieval"} & compared.arms.keys():
        return False
    return compared.difference("tandem", _find_best(compared)).is_positive


def _find_best(compared: Comparison) -> ArmName:
    return max((arm for arm in PLAIN if arm in compared.arms), key=lambda arm: compared.arms[arm].right.mean)


def _sentences(compared: Comparison) -> Iterator[str]:
    chosen, arms = choose_arm(compared), compared.arms
    if chosen is None:
        right = arms["tandem"].right
        yield f"Tandem gets {_of_100(right)} right; ask the other arms too to see what your questions call for."
        return
    if len([arm for arm in arms if arm in PLAIN]) == 1:
        yield f"Only {CALLED[chosen]} was tried: it gets {_of_100(arms[chosen].right)} right."
    else:
        best = _find_best(compared)
        if _is_choice_best(compared):
            yield f"Your questions call for {EACH_ITS_OWN}."
        elif best != chosen and compared.difference(best, chosen).mean >= MATTERS:
            yield f"{len(compared.questions):,} questions are too few to tell what yours call for."
        else:
            yield f"Your questions call for {CALL_FOR[chosen]}."
        yield f"{_capital(CALLED[chosen])} gets {_of_100(arms[chosen].right)} right."
    yield from _tell_effects(compared)
    yield from _tell_noise(compared, chosen)
    yield from _tell_tandem(compared)
    yield from _tell_losses(compared, chosen)
    if arms[chosen].right.high < POOR:
        yield "None of this is good yet: an adapter (`tandem tune`) or a larger model (MODEL) is what to try next."
    if compared.left_out:
        yield f"Not tried: {' and '.join(CALLED[arm] for arm in compared.left_out)}, as no adapter is in service."


def _tell_effects(compared: Comparison) -> Iterator[str]:
    """What retrieval and training each add, where they have most to stand on."""
    for what, pairs in (
        ("Looking the answers up as well", (("tuned+retrieval", "tuned"), ("retrieval", "prompt"))),
        ("Fine-tuning as well", (("tuned+retrieval", "retrieval"), ("tuned", "prompt"))),
    ):
        pair: tuple[ArmName, ArmName]
        for pair in pairs:  # type: ignore[assignment]
            if set(pair) <= set(compared.arms):
                yield f"{what} {_tell_change(compared.difference(*pair), CALLED[pair[1]])}."
                break


def _tell_change(difference: Estimate, other: str) -> str:
    points = round(abs(100 * difference.mean))
    if difference.is_positive:
        return f"gets {points} of 100 more right than {other} ({_span(difference)})"
    if difference.is_negative:
        return f"gets {points} of 100 fewer right than {other} ({_span(difference)})"
    return f"makes no difference to {other} that these questions show ({_span(difference)})"


def _tell_noise(compared: Comparison, chosen: ArmName) -> Iterator[str]:
    best = _find_best(compared)
    if best == chosen:
        return
    found = compared.difference(best, chosen)
    half = (found.high - found.low) / 2
    needed = round(len(compared.questions) * (half / found.mean) ** 2 * 1.2, -1) if found.mean else 0
    also = f" about {max(needed, len(compared.questions) + 10):,.0f} questions would tell" if found.mean else ""
    yield (
        f"{_capital(CALLED[best])} got {_of_100(compared.arms[best].right, bounds=False)}, which may be luck"
        f" ({_span(found)}){';' if also else ''}{also}."
    )


def _tell_tandem(compared: Comparison) -> Iterator[str]:
    if "tandem" not in compared.arms:
        return
    best, own = _find_best(compared), compared.arms["tandem"]
    found = compared.difference("tandem", best)
    tokens = compared.arms[best].tokens  # 0 where a foreign server does not tell them
    saves = own.tokens < SAVING * tokens
    if found.is_negative:
        what, so = "fewer than", "let it learn from your graded questions before you leave the choice to it"
    elif found.is_positive:
        what, so = "more than", "leave the choice to it"
    elif found.mean >= 0 or found.low > -MARGIN:
        what, so = "no fewer than", "leave the choice to it" if saves or not tokens else "it saves nothing here"
    else:
        what, so = "perhaps fewer than", "more questions would tell"
    yield (
        f"Tandem's own choice gets {_of_100(own.right, bounds=False)} right, {what} {CALLED[best]} ({_span(found)})"
        f"{f', with {own.tokens / tokens:.0%} of its tokens' if tokens else ''}: {so}."
    )


def _tell_losses(compared: Comparison, chosen: ArmName) -> Iterator[str]:
    """Of the arm that reads passages best: is more lost in search or in reading?"""
    readers = [arm for arm in READERS if arm in compared.arms]
    reading = max(readers, key=lambda arm: compared.arms[arm].right.mean, default=None)
    if reading and compared.finding and compared.finding.places:
        found = compared.finding.recall(5)
        contained = compared.arms[reading].estimate("contained", answerable=True).mean
        if 1 - contained >= GAP:
            lost = "search: write down what is missing, or say it in the words that people use"
            read = "reading what was found: training or a larger model is what helps"
            yield (
                f"Search has what answers among its first five passages for {round(100 * found)} of 100 that have an"
                f" answer, and {round(100 * contained)} are answered from them, so most is lost in"
                f" {lost if 1 - found > found - contained else read}."
            )
    if compared.arms[chosen].unanswerable:
        declined = compared.arms[chosen].estimate("declined", answerable=False)
        yield (
            f"Of questions that nothing answers, {CALLED[chosen]} declines {_of_100(declined)}"
            f"{'; to the others it makes an answer up' if declined.mean < POOR else ''}."
        )


def _of_100(estimate: Estimate, *, bounds: bool = True) -> str:
    of = f"{round(100 * estimate.mean)} of 100"
    return f"{of} ({_between(estimate)})" if bounds else of


def _between(estimate: Estimate) -> str:
    return f"between {round(100 * estimate.low)} and {round(100 * estimate.high)}"


def _span(difference: Estimate) -> str:
    low, high = round(100 * difference.low), round(100 * difference.high)
    if low >= 0 or high <= 0:
        return f"between {min(abs(low), abs(high))} and {max(abs(low), abs(high))}"
    return f"between {-low} fewer and {high} more"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
