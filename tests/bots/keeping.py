"""An agent that says what a test wants, and keeps answers and corrections where the real one does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from graph.agent import Agent
from graph.answers import AgentEvent, Answer, Done, Question
from graph.records import store_answer
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tests.bots.scripted import ScriptedAgent


class KeepingAgent(ScriptedAgent):
    """`trouble` is raised by whatever looks an answer up."""

    def __init__(self, script: Mapping[str, str | Exception], database: Database, real: Agent) -> None:
        super().__init__(script)
        self.trouble: Exception | None = None
        self._database = database
        self._real = real

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, database: Database, script: Mapping[str, str | Exception]
    ) -> AsyncIterator["KeepingAgent"]:
        async with ModelClient.open(settings) as model, Agent.open(settings, database, model) as real:
            yield cls(script, database, real)

    async def answer(self, question: Question) -> AsyncIterator[AgentEvent]:
        async for event in super().answer(question):
            if isinstance(event, Done):
                await store_answer(self._database, question, question.text, event.answer, {})
            yield event

    async def find_answer(self, answer_id: str, viewer: Viewer) -> Answer | None:
        if self.trouble is not None:
            raise self.trouble
        return await self._real.find_answer(answer_id, viewer)

    async def record_correction(self, answer_id: str, *, user: str, text: str) -> bool:
        return await self._real.record_correction(answer_id, user=user, text=text)


async def corrections(database: Database) -> dict[str, str]:
    """What each person would have said."""
    rows = await database.fetch_all(b"SELECT person, text FROM corrections ORDER BY given_at")
    return {row["person"]: row["text"] for row in rows}
