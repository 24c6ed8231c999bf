"""A trial: one logged question, answered again on both routes. Nothing of it is kept as an answer."""

import secrets
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.agent import Agent
from graph.answers import Done, Question, cited_documents
from graph.learning.sample import QUERIES
from graph.nodes.direct import ANSWER_TOKENS
from graph.nodes.retrieve import PASSAGES
from graph.prompts import ask_directly
from graph.routing.decision import FixedRouter
from graph.routing.fit import READS
from graph.routing.inputs import Inputs, gather_inputs
from graph.scope import split_scope
from graph.sentences import strip_citations
from index.audience import Viewer
from index.search import search
from tandem.db.checkpoints import make_checkpointer
from tandem.db.pool import Database
from tandem.models.client import ModelClient

WIDTH = 384


@dataclass(frozen=True)
class Trial:
    """`from_documents` is None where the passages were not enough. `p_documents`: how likely that is right, 0 to 1,
    and 0 where nothing is said; `cited`: the documents that it stands on. `embedding` (384,) is the question's, zero
    for one without a word: it is like no other."""

    from_memory: str
    from_documents: str | None
    p_documents: float
    cited: tuple[int, ...]
    inputs: Inputs
    embedding: NDArray[np.float32]


async def answer_both(database: Database, model: ModelClient, question: str, viewer: Viewer) -> Trial:
    """`question` may begin with its scope. Raises what the agent, search and the model client raise."""
    asked, filters = await split_scope(database, viewer, question)
    found = await search(database, model, asked, viewer, k=PASSAGES, filters=filters)
    inputs = await gather_inputs(database, model, viewer, asked, found)
    from_documents, p_documents, cited = await _ask_documents(database, model, question, viewer)
    return Trial(
        await _ask_memory(model, asked),
        from_documents,
        p_documents,
        cited,
        inputs,
        np.zeros(WIDTH, np.float32) if found.embedding is None else found.embedding,
    )


async def _ask_memory(model: ModelClient, question: str) -> str:
    """The whole draft, whether or not the model is sure of it."""
    text = ""
    async with aclosing(model.chat(ask_directly(question, ()), max_tokens=ANSWER_TOKENS)) as draft:
        async for delta in draft:
            text += delta.text
    return strip_citations(text).strip()


async def _ask_documents(
    database: Database, model: ModelClient, question: str, viewer: Viewer
) -> tuple[str | None, float, tuple[int, ...]]:
    agent = Agent(database, model, FixedRouter("grounded", "a trial of this route"), make_checkpointer(database))
    identity = f"trial:{secrets.token_hex(8)}"
    asked = Question(id=identity, text=question, conversation=identity, viewer=viewer, user="trial")
    try:
        [answer] = [event.answer async for event in agent.answer(asked) if isinstance(event, Done)]
        dropped = await database.fetch_one(QUERIES["drop_trial"], {"id": answer.id})
    finally:
        await agent.forget(identity)
    if answer.route != "grounded":
        return None, 0.0, ()
    p_answer = dropped["p_answer"] if dropped else None
    likely = READS if p_answer is None else p_answer
    return strip_citations(answer.answer), likely, tuple(cited_documents(answer.citations))
