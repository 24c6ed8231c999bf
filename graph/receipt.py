"""The receipt: how an answer came about, made the same way for every route."""

from graph.answers import Answer, Citation, Receipt, Route, Timings, Tokens
from graph.provenance import trace_citations
from graph.records import answer_id
from graph.routing.decision import Decision
from graph.state import Context, State
from index.search import Hit


def make_citation(n: int, passage: Hit, quote: str) -> Citation:
    return Citation(
        n=n,
        title=f"{passage.title} › {passage.heading}" if passage.heading else passage.title,
        uri=passage.uri,
        quote=quote,
        score=round(passage.score, 4),
        indexed_at=passage.indexed_at,
        document_id=passage.document_id,
    )


async def make_answer(
    context: Context, state: State, decision: Decision, route: Route, text: str, citations: tuple[Citation, ...]
) -> Answer:
    watch = context.watch
    description = await context.model.describe()
    receipt = Receipt(
        reasons=decision.reasons,
        timings_ms=Timings(
            retrieve=round(watch.retrieve, 1),
            decide=round(watch.decide, 2),
            first_token=round(watch.first_token, 1),
            answer=round(watch.answer, 1),
            total=round(watch.since(watch.started), 1),
        ),
        tokens=Tokens(prompt=watch.prompt_tokens, answer=watch.answer_tokens),
        model=description.model,
        adapter=description.adapter,
        index_version=state["found"].index_version,
        model_calls=watch.model_calls,
    )
    return Answer(
        id=answer_id(context.question),
        question=context.question.text,
        answer=text,
        route=route,
        citations=await trace_citations(context.database, context.question.viewer, citations),
        receipt=receipt,
    )
