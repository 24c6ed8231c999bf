"""Last step: the answer is kept with its receipt and inputs, and the exchange joins the thread's memory."""

from langgraph.runtime import Runtime

from graph.memory import make_exchange
from graph.records import store_answer
from graph.state import Context, State


async def record(state: State, runtime: Runtime[Context]) -> State:
    question, answer, standalone = runtime.context.question, state["answer"], state["standalone"]
    reading = state.get("reading")
    inputs = {**state["decision"].record(), "p_answer": reading.p_answer if reading else None}
    await store_answer(runtime.context.database, question, standalone, answer, inputs)
    return {"history": [make_exchange(question, standalone, answer)]}
