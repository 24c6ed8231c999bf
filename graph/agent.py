"""The agent: recall, retrieve, decide, answer, record, as a LangGraph graph with a memory for each thread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.answers import LONGEST_QUESTION, AgentEvent, Answer, Done, Question, Verdict, cited_documents
from graph.nodes.ask_back import ask_back
from graph.nodes.decide import decide
from graph.nodes.decline import decline
from graph.nodes.direct import answer_directly
from graph.nodes.grounded import answer_from_passages
from graph.nodes.recall import recall
from graph.nodes.record import record
from graph.nodes.retrieve import retrieve
from graph.provenance import is_withdrawn, withhold_citations
from graph.records import find_last_answer, find_visible_answer, store_correction, store_feedback
from graph.routing.decision import Router
from graph.routing.policy import Policy
from graph.routing.router import ServingRouter
from graph.scope import split_scope
from graph.state import Context, State
from index.audience import Viewer
from tandem.db.checkpoints import make_checkpointer
from tandem.db.pool import Database
from tandem.errors import QuestionRejected
from tandem.models.client import ModelClient
from tandem.settings import Settings

Graph = CompiledStateGraph[State, Context, State, State]


class Agent:
    """Answers questions; one object serves any number of conversations at once."""

    def __init__(
        self, database: Database, model: ModelClient, router: Router, checkpointer: BaseCheckpointSaver[str]
    ) -> None:
        self._database = database
        self._model = model
        self._router = router
        self._checkpointer = checkpointer
        self._graph = build_graph(checkpointer)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, database: Database, model: ModelClient) -> AsyncIterator["Agent"]:
        policy = Policy(settings.policy, settings.wrong_costs, settings.explore)
        yield cls(database, model, ServingRouter(database, policy), make_checkpointer(database))

    async def answer(self, question: Question) -> AsyncIterator[AgentEvent]:
        """Yields progress and text as they come, and at the end Done with the kept answer.

        The same `question.id` again yields the answer that was given before, and nothing is asked of the model.
        Raises QuestionRejected for an empty or too long question, SourceError or FilterError for a scope that cannot be
        searched, and what search and the model client raise.
        """
        text = question.text.strip()
        if len(text) > LONGEST_QUESTION:
            raise QuestionRejected(
                f"The question has {len(text):,} characters; {LONGEST_QUESTION:,} is the most I read."
            )
        asked, filters = await split_scope(self._database, question.viewer, text)
        if not asked:
            raise QuestionRejected("The question is empty.")
        context = Context(question, asked, filters, self._database, self._model, self._router)
        config: RunnableConfig = {"configurable": {"thread_id": question.conversation}}
        answer: Answer | None = None
        async for mode, event in self._graph.astream(
            State(), config, context=context, stream_mode=["custom", "updates"], durability="exit"
        ):
            if mode == "custom":
                yield event  # type: ignore[misc]
            else:
                answer = next((u["answer"] for u in event.values() if u and "answer" in u), answer)  # type: ignore[union-attr]
        if answer is None:
            raise RuntimeError("the graph ended without an answer")
        await self._checkpointer.aprune([question.conversation], strategy="keep_latest")
        yield Done(answer)

    async def explain_last(self, conversation: str, viewer: Viewer) -> Answer | None:
        """The newest answer of the conversation, for `/why`, without what the viewer could not find now."""
        answer = await find_last_answer(self._database, conversation)
        return await withhold_citations(self._database, viewer, answer) if answer else None

    async def forget(self, conversation: str) -> None:
        """Empties the thread's memory; kept answers stay."""
        await self._checkpointer.adelete_thread(conversation)

    async def record_feedback(self, answer_id: str, *, user: str, verdict: Verdict) -> bool:
        """Keeps a person's verdict; False when there is no such answer."""
        return await store_feedback(self._database, answer_id, person=user, verdict=verdict)

    async def find_answer(self, answer_id: str, viewer: Viewer) -> Answer | None:
        """The kept answer; None if it was not given here, or stands on what the viewer could not find now."""
        answer = await find_visible_answer(self._database, answer_id, viewer)
        if answer and await is_withdrawn(self._database, viewer, cited_documents(answer.citations)):
            return None
        return answer

    async def record_correction(self, answer_id: str, *, user: str, text: str) -> bool:
        """Keeps what the answer should have said; False when there is no such answer."""
        return await store_correction(self._database, answer_id, person=user, text=text)


def build_graph(checkpointer: BaseCheckpointSaver[str]) -> Graph:
    builder = StateGraph(State, context_schema=Context)
    for name, node in (
        ("recall", recall),
        ("retrieve", retrieve),
        ("decide", decide),
        ("answer_directly", answer_directly),
        ("answer_from_passages", answer_from_passages),
        ("ask_back", ask_back),
        ("decline", decline),
        ("record", record),
    ):
        builder.add_node(name, node)
    builder.add_edge(START, "recall")
    return builder.compile(checkpointer=checkpointer)
