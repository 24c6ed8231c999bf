"""The arms: ways to answer a question that are compared, each made of the parts that serve people.

| arm               | who answers                                                  |
|-------------------|--------------------------------------------------------------|
| `prompt`          | the base model, from its weights                             |
| `tuned`           | the base model with the adapter in service, from its weights |
| `retrieval`       | the base model, always from the passages that are found      |
| `tuned+retrieval` | the same with the adapter in service                         |
| `tandem`          | the agent as it serves people, which chooses for itself      |
"""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from graph.agent import Agent
from graph.answers import Citation, Done, Question, Route
from graph.nodes.direct import ANSWER_TOKENS
from graph.prompts import ask_directly
from graph.records import drop_answer
from graph.refusals import is_refusal
from graph.routing.decision import FixedRouter
from graph.routing.fits import find_serving
from graph.routing.policy import Policy
from graph.routing.router import ServingRouter
from graph.sentences import strip_citations
from index.audience import Viewer
from tandem.db.checkpoints import make_checkpointer
from tandem.db.pool import Database
from tandem.models.client import ModelClient, ModelDescription
from tandem.settings import Settings

ArmName = Literal["prompt", "tuned", "retrieval", "tuned+retrieval", "tandem"]
ARMS: tuple[ArmName, ...] = get_args(ArmName)
TUNED: Collection[ArmName] = ("tuned", "tuned+retrieval")
GROUNDED: Collection[ArmName] = ("retrieval", "tuned+retrieval", "tandem")
"""Those that search, and may cite."""


@dataclass(frozen=True)
class Reply:
    """`milliseconds` from the question to the end of the answer."""

    text: str
    route: Route
    citations: tuple[Citation, ...]
    prompt_tokens: int
    answer_tokens: int
    milliseconds: float
    model_calls: int = 1

    @property
    def declined(self) -> bool:
        return self.route == "declined"


LOOK_UP = FixedRouter("grounded", "this arm always looks it up")
Ask = Callable[[str], Awaitable[Reply]]


@dataclass(frozen=True)
class Arms:
    """`left_out`: why an arm that was asked for cannot answer. `adapter`: the one in service. `fit`: the one by which
    Tandem chooses, None for the prior."""

    ask: Mapping[ArmName, Ask]
    left_out: Mapping[ArmName, str]
    adapter: str | None
    fit: int | None


@asynccontextmanager
async def open_arms(
    settings: Settings,
    database: Database,
    viewer: Viewer,
    wanted: Collection[ArmName],
    house: Database | None = None,
) -> AsyncIterator[Arms]:
    """`house` holds the fit by which Tandem chooses, where `database` is one of this measurement alone.

    In the order in which they should be asked. Needs a model server that runs. Raises what the model client does.

    Tandem comes first: the server remembers the prompts that it has just read, and its own choice is not to profit
    from what the other arms read.
    """
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(ModelClient.open(settings))
        in_service = await serving.describe()
        base = await stack.enter_async_context(_open_base(settings, serving, in_service))

        def grounded(model: ModelClient) -> Ask:
            return _ask_agent(Agent(database, model, LOOK_UP, make_checkpointer(database)), database, viewer)

        ask: dict[ArmName, Ask] = {}
        if "tandem" in wanted:
            # Without exploring: that is for the real questions.
            router = ServingRouter(house or database, serving, Policy(settings.policy, settings.wrong_costs))
            agent = Agent(database, serving, router, make_checkpointer(database))
            ask["tandem"] = _ask_agent(agent, database, viewer)
        if "retrieval" in wanted:
            ask["retrieval"] = grounded(base)
        if "tuned+retrieval" in wanted and in_service.adapter:
            ask["tuned+retrieval"] = grounded(serving)
        if "prompt" in wanted:
            ask["prompt"] = _ask_weights(base)
        if "tuned" in wanted and in_service.adapter:
            ask["tuned"] = _ask_weights(serving)
        left_out = {arm: "no adapter is in service" for arm in TUNED if arm in wanted and not in_service.adapter}
        fit = await find_serving(house or database, in_service.adapter)
        yield Arms(ask, left_out, in_service.adapter, fit.id if fit else None)


@asynccontextmanager
async def _open_base(
    settings: Settings, serving: ModelClient, in_service: ModelDescription
) -> AsyncIterator[ModelClient]:
    """A client of the same server's model without an adapter."""
    if in_service.adapter is None:
        yield serving
        return
    async with ModelClient.open(settings.model_copy(update={"model": in_service.model})) as base:
        yield base


def _ask_weights(model: ModelClient) -> Ask:
    """The whole draft, whether or not the model is sure of it."""

    async def ask(question: str) -> Reply:
        began = time.perf_counter()
        text, prompt_tokens, answer_tokens = "", 0, 0
        async with aclosing(model.chat(ask_directly(question, ()), max_tokens=ANSWER_TOKENS)) as draft:
            async for delta in draft:
                text += delta.text
                prompt_tokens += delta.prompt_tokens or 0
                answer_tokens += delta.answer_tokens or 0
        text = strip_citations(text).strip()
        route: Route = "declined" if is_refusal(text) else "direct"
        return Reply(text, route, (), prompt_tokens, answer_tokens, 1000 * (time.perf_counter() - began))

    return ask


def _ask_agent(agent: Agent, database: Database, viewer: Viewer) -> Ask:
    """Each question in a conversation of its own, of which nothing is kept: nobody really asked it."""

    async def ask(question: str) -> Reply:
        identity = f"eval:{secrets.token_hex(8)}"
        asked = Question(id=identity, text=question, conversation=identity, viewer=viewer, user="eval")
        began = time.perf_counter()
        [answer] = [event.answer async for event in agent.answer(asked) if isinstance(event, Done)]
        milliseconds = 1000 * (time.perf_counter() - began)
        await drop_answer(database, answer)
        await agent.forget(identity)
        tokens, calls = answer.receipt.tokens, answer.receipt.model_calls
        return Reply(answer.answer, answer.route, answer.citations, tokens.prompt, tokens.answer, milliseconds, calls)

    return ask
