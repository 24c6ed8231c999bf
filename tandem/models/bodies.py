"""What a caller may send: OpenAI's request bodies, as far as this server honours them. Anything else is refused."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from tandem.errors import ModelRejected
from tandem.models.endpoint import MOST_SCORED
from tandem.models.sampling import Sampling
from tandem.models.schema import ANY_OBJECT, LARGEST_GRAMMAR, Grammar, Schema

MAX_EMBEDDED_TEXTS = 2048
Stop = Annotated[str, StringConstraints(min_length=1, max_length=200)]
TokenNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]
Label = Annotated[str, StringConstraints(max_length=512)]
"""Says who asks or how to bill it; accepted, and of no effect."""


def _only(*neutral: object) -> BeforeValidator:
    """For a field of OpenAI's that nothing here carries out: only values that ask for nothing pass."""

    def check(value: object) -> object:
        if value is None or any(value == one and type(value) is type(one) for one in neutral):
            return value
        raise PydanticCustomError("unsupported", "This server does not support it")

    return BeforeValidator(check)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class TextPart(Body):
    type: Literal["text"]
    text: str


class Message(Body):
    """Also as OpenAI's client gives an answer back, with the fields that are empty here."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    tool_calls: Annotated[object, _only([])] = None
    annotations: Annotated[object, _only([])] = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(Body):
    include_usage: bool | None = None
    include_obfuscation: Annotated[object, _only(False)] = None


class JsonSchema(Body):
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: Annotated[Schema | None, Field(alias="schema")] = None
    description: str | None = None
    strict: bool | None = None
    """Of no effect: the schema is always enforced."""


class ResponseFormat(Body):
    """OpenAI's, and `grammar` in the form of OpenAI's custom tools."""

    type: Literal["text", "json_object", "json_schema", "grammar"]
    json_schema: JsonSchema | None = None
    syntax: Literal["lark"] | None = None
    definition: Annotated[str, StringConstraints(max_length=LARGEST_GRAMMAR)] | None = None
    """In llguidance's Lark."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.json_schema is not None) != (self.type == "json_schema"):
            raise PydanticCustomError("json_schema", "'json_schema' belongs to the type 'json_schema', and only to it")
        if {self.syntax is not None, self.definition is not None} != {self.type == "grammar"}:
            raise PydanticCustomError("grammar", "'syntax' and 'definition' belong to the type 'grammar'")
        return self

    @property
    def form(self) -> Schema | Grammar | None:
        """What the answer must meet."""
        if self.definition is not None:
            return Grammar(self.definition)
        if self.json_schema is not None and self.json_schema.schema_ is not None:
            return self.json_schema.schema_
        return None if self.type == "text" else ANY_OBJECT


class ChatRequest(Body):
    """https://platform.openai.com/docs/api-reference/chat/create"""

    model: str | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    last_prompt_logprobs: Annotated[int, Field(ge=1, le=MOST_SCORED)] | None = None
    """Tandem's own: the last message's last so many tokens come with their log-probabilities, as `prompt_logprobs`."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: (
        Annotated[dict[TokenNumber, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=1024)] | None
    ) = None
    response_format: ResponseFormat | None = None

    user: Label | None = None
    safety_identifier: Label | None = None
    prompt_cache_key: Label | None = None
    metadata: Annotated[dict[Label, Label], Field(max_length=16)] | None = None
    n: Annotated[object, _only(1)] = None
    store: Annotated[object, _only(False)] = None
    tools: Annotated[object, _only([])] = None
    tool_choice: Annotated[object, _only("none", "auto")] = None
    parallel_tool_calls: Annotated[object, _only(True, False)] = None
    functions: Annotated[object, _only([])] = None
    function_call: Annotated[object, _only("none", "auto")] = None
    modalities: Annotated[object, _only(["text"])] = None
    service_tier: Annotated[object, _only("auto", "default")] = None
    reasoning_effort: Annotated[object, _only("none")] = None
    verbosity: Annotated[object, _only("medium")] = None
    audio: Annotated[object, _only()] = None
    prediction: Annotated[object, _only()] = None
    web_search_options: Annotated[object, _only()] = None

    @model_validator(mode="after")
    def _asks_for_logprobs(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise PydanticCustomError("top_logprobs", "'top_logprobs' needs 'logprobs' to be true")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def form(self) -> Schema | Grammar | None:
        return self.response_format.form if self.response_format else None

    def sampling(self, vocabulary_size: int) -> Sampling:
        """Raises ModelRejected for a `logit_bias` on what is no token."""
        biases = tuple((int(token), bias) for token, bias in (self.logit_bias or {}).items())
        if any(token >= vocabulary_size for token, _ in biases):
            raise ModelRejected(f"logit_bias: this model's tokens are numbered from 0 to {vocabulary_size - 1}.")
        return Sampling(
            1.0 if self.temperature is None else self.temperature,
            1.0 if self.top_p is None else self.top_p,
            self.seed,
            bool(self.logprobs),
            self.top_logprobs or 0,
            self.presence_penalty or 0.0,
            self.frequency_penalty or 0.0,
            biases,
        )


class EmbeddingRequest(Body):
    """https://platform.openai.com/docs/api-reference/embeddings/create"""

    model: str | None = None
    input: str | Annotated[list[str], Field(min_length=1, max_length=MAX_EMBEDDED_TEXTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Literal[384] | None = None
    user: Label | None = None

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input
