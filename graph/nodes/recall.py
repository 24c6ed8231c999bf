"""First step: an event that was answered before gets that answer, unless what it cites was withdrawn since.

A follow-up is made to stand alone.
"""

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.answers import cited_documents
from graph.followup import make_standalone
from graph.memory import make_exchange
from graph.provenance import is_withdrawn
from graph.records import drop_answer, find_answer
from graph.state import Context, State


async def recall(state: State, runtime: Runtime[Context]) -> Command[Literal["retrieve", "__end__"]]:
    question = runtime.context.question
    history = state.get("history", [])
    before = [exchange for exchange in history if exchange["question_id"] != question.id]
    asked_back = bool(before) and before[-1].get("route") == "asked"
    earlier = [exchange["standalone"] for exchange in before]
    standalone = make_standalone(runtime.context.asked, earlier, asked_back=asked_back)
    database = runtime.context.database
    answer = await find_answer(database, question)
    if answer and await is_withdrawn(database, question.viewer, cited_documents(answer.citations)):
        await drop_answer(database, answer)
        answer = None
    if answer:
        exchange = make_exchange(question, standalone.text, answer)
        return Command(update={"answer": answer, "history": [exchange]}, goto="__end__")
    return Command(update={"standalone": standalone.text, "alone": standalone.alone}, goto="retrieve")
