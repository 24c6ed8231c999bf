"""The errors that people see. Each says what happened and what to do next."""


class TandemError(Exception):
    """Something went wrong in Tandem."""

    remedy = "Run `tandem doctor`; it checks every piece and says what to do."

    def __init__(self, message: str | None = None, *, remedy: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.remedy = remedy or self.remedy
        super().__init__(f"{self.message} {self.remedy}")


class SettingsError(TandemError):
    """A setting has a value that Tandem cannot use."""

    remedy = "Correct the setting named above, in the environment or in `.env`."


class DatabaseUnavailable(TandemError):
    """Postgres cannot be reached."""

    remedy = "Check DATABASE_URL, or unset it to use the embedded server; `tandem doctor` shows the details."


class MigrationError(TandemError):
    """The database's tables do not fit this version of Tandem."""

    remedy = "Run `tandem migrate` with the newest Tandem that has used this database."


class ModelUnavailable(TandemError):
    """The model server cannot be reached."""

    remedy = "Start it with `tandem model` (or `tandem up`), or correct MODEL_URL."


class ModelBusy(TandemError):
    """The model server's queue is full."""

    remedy = "Ask again in a moment."

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ModelRejected(TandemError):
    """The model server refused the request."""

    remedy = "Shorten the question, or read the reason above."


class ModelMisconfigured(ModelRejected):
    """The model server refuses whatever it is asked: its key, its address or the model's name is wrong."""

    remedy = "Correct MODEL_URL, MODEL_KEY or MODEL, or unset them to use Tandem's own server."


class WeightsError(TandemError):
    """The model's weights cannot be used."""

    remedy = "Correct MODEL, or unset it to use the packaged weights."


class SourceError(TandemError):
    """The source cannot be used."""

    remedy = "See the known sources with `tandem source list`."


class QuestionRejected(TandemError):
    """The question cannot be answered as it stands."""

    remedy = "Ask again with a question of 1 to 4,000 characters."


class TokenError(TandemError):
    """A chat platform refused the bot's token."""

    remedy = "Read the set-up steps in docs/slack.md or docs/discord.md, then run `tandem doctor`."
