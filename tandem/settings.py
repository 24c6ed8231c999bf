"""All settings: one frozen object, read once from the environment and `.env`, and passed in."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tandem.errors import SettingsError


def _split_names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]


def _named(name: str) -> AliasChoices:
    """The plain name that deployments know, and the prefixed one that all other settings have."""
    return AliasChoices(name, f"TANDEM_{name}")


class Settings(BaseSettings):
    """Every value has a default that works on one machine without an account."""

    model_config = SettingsConfigDict(
        env_prefix="TANDEM_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    home: Path = Field(default_factory=lambda: platformdirs.user_data_path("tandem"))
    """Where the embedded Postgres, cached weights and run files live."""
    database_url: str | None = Field(None, validation_alias=_named("DATABASE_URL"))
    broker_url: str | None = Field(None, validation_alias=_named("BROKER_URL"))
    log_level: str = "INFO"

    model_url: str | None = Field(None, validation_alias=_named("MODEL_URL"))
    """An OpenAI-compatible server; without it, the local `tandem model` of this home."""
    model_key: SecretStr | None = Field(None, validation_alias=_named("MODEL_KEY"))
    """What the server at MODEL_URL wants as a bearer token."""
    model: str = Field("packaged", validation_alias=_named("MODEL"))
    """`packaged`, a path to a GGUF file, or `hf:REPO/FILE`."""
    model_host: str = "127.0.0.1"
    model_port: int = Field(8713, ge=0, le=65535)
    model_context: int = Field(2048, ge=512)
    """Tokens of context that one conversation may use."""
    model_sequences: int = Field(0, ge=0, le=256)
    """Requests that are decoded at once, each with a context of its own. 0: as many as memory holds, up to 16 on a CPU
    and 64 on a GPU."""
    model_cache_mb: int = Field(128, ge=0)
    """Main memory for prompts that were read before, so that one which begins alike is read from where they part."""
    model_queue: int = Field(64, ge=1)
    """Requests that may wait; the next one gets 429."""
    model_threads: int = Field(0, ge=0)
    """0 uses every core."""

    slack_bot_token: SecretStr | None = Field(None, validation_alias=_named("SLACK_BOT_TOKEN"))
    slack_app_token: SecretStr | None = Field(None, validation_alias=_named("SLACK_APP_TOKEN"))
    slack_signing_secret: SecretStr | None = Field(None, validation_alias=_named("SLACK_SIGNING_SECRET"))
    slack_api_url: str = Field("https://slack.com/api/", validation_alias=_named("SLACK_API_URL"))
    slack_http_port: int | None = Field(None, ge=0, le=65535)
    """Set it to receive signed HTTP requests instead of Socket Mode."""
    slack_reindexers: Names = ()
    """User ids that may re-index besides workspace admins."""

    discord_token: SecretStr | None = Field(None, validation_alias=_named("DISCORD_TOKEN"))
    discord_api_url: str = Field("https://discord.com/api/v10", validation_alias=_named("DISCORD_API_URL"))

    webhook_secret: SecretStr | None = None
    """What GitHub and others sign their webhooks with; without it none are received."""
    webhook_host: str = "127.0.0.1"
    webhook_port: int = Field(8714, ge=0, le=65535)

    audiences: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Audiences that a channel belongs to beyond its own, as JSON: `{"slack:C123": ["hr"]}`."""
    allowed_licences: Names = ()
    """Licences of documents that may be indexed; empty allows all, also what states none."""
    training_licences: Names = (
        "own", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODC-By-1.0", "PDDL-1.0", "MIT", "Apache-2.0", "BSD-2-Clause",
        "BSD-3-Clause",
    )  # fmt: skip
    """Licences of examples that adapters may be trained on; `own` is what the team wrote itself."""
    held_out: Names = ()
    """Evaluation files, one JSON object with a `question` a line: no adapter is trained on a question of theirs."""
    tuning_python: Path | None = None
    """The interpreter that trains, with torch; by default the one of `.venv-tune`, here or beside Tandem."""
    review_days: int = Field(90, ge=1)
    """For how long a document holds once its owner has said that it is still valid."""
    policy: Literal["balanced", "cite", "sourced", "fast"] = "balanced"
    """Who speaks. `balanced`: whoever is likelier to be right. `cite`: the documents, wherever they cover the question.
    `sourced`: nothing but small talk and writing is answered from memory. `fast`: tokens weigh six times as much."""
    wrong_costs: float = Field(0.5, ge=0)
    """What a wrong answer costs, where a right one is worth 1 and none 0."""
    explore: float = Field(0.05, ge=0, le=0.5)
    """The share of close calls between model and documents that go the other way, so that the choice can be judged."""
    learn_questions: int = Field(40, ge=0)
    """Questions that the nightly job answers on both routes and grades; 0 turns learning off."""
    learn_hour: int = Field(3, ge=0, le=23)
    """The hour (UTC) of the nightly job."""
    look_interval_s: float = Field(300, gt=0)
    """How often the beat looks at every source."""
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """Set it to have the beat tell Prometheus how the index stands, under `/metrics`."""
    metrics_host: str = "127.0.0.1"
    watts: float = Field(65, ge=0)
    """What the machine that answers draws; with `price_kwh` it makes the cost of a second."""
    price_kwh: float = Field(0.30, ge=0)
    price_prompt: float = Field(0, ge=0)
    """Of a million tokens read, where the server at MODEL_URL charges for them; `price_answer` of as many written. All
    prices are in one currency, whichever."""
    price_answer: float = Field(0, ge=0)
    lease_s: float = Field(30, gt=0)
    """How long a worker or bot that went silent keeps its job or event."""

    @cached_property
    def run_dir(self) -> Path:
        """Pid, lock and address files of running processes; made on first use."""
        path = self.home / "run"
        path.mkdir(parents=True, exist_ok=True)
        return path


def read_settings() -> Settings:
    """Reads the environment once. Raises SettingsError that names each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(faults) from error
