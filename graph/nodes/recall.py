"""First step: an event that was answered before gets that answer; a follow-up is made to stand alone."""

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.followup import make_standalone
from graph.records import find_answer
from graph.state import Context, Exchange, State


async def recall(state: State, runtime: Runtime[Context]) -> Command[Literal["retrieve", "__end__"]]:
    question = runtime.context.question
    history = state.get("history", [])
    earlier = [exchange["standalone"] for exchange in history if exchange["question_id"] != question.id]
    standalone = make_standalone(question.text, earlier)
    if answer := await find_answer(runtime.context.database, question):
        exchange = Exchange(
            question_id=question.id, question=question.text, standalone=standalone, answer=answer.answer
        )
        return Command(update={"answer": answer, "history": [exchange]}, goto="__end__")
    return Command(update={"standalone": standalone}, goto="retrieve")
