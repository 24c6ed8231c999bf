"""Errors as OpenAI writes them, so that its clients raise the right exception."""

import math
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tandem.errors import ModelBusy, ModelRejected, ModelUnavailable, TandemError

STATUS: dict[type[Exception], tuple[int, str, str | None]] = {
    ModelRejected: (400, "invalid_request_error", None),
    ModelBusy: (429, "rate_limit_error", "queue_full"),
    ModelUnavailable: (503, "server_error", "unavailable"),
}
GONE = 499
"""nginx's number for a client that did not wait for its answer; nobody reads it but the metrics."""


class UnknownModel(TandemError):
    """No such model is served here."""


class BodyTooLarge(TandemError):
    """The request's body is too large."""


def error_body(
    message: str, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def failure(
    status: int, message: str, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> JSONResponse:
    return JSONResponse(error_body(message, kind, param, code), status)


def describe_tandem_error(_: Request, error: Exception) -> JSONResponse:
    status, kind, code = STATUS.get(type(error), (500, "server_error", None))
    answer = failure(status, error.message if isinstance(error, TandemError) else str(error), kind, code=code)
    if isinstance(error, ModelBusy):
        answer.headers["retry-after"] = str(math.ceil(error.retry_after_s))
    return answer


def describe_unknown_model(_: Request, error: Exception) -> JSONResponse:
    return failure(404, str(error), param="model", code="model_not_found")


def describe_bad_schema(_: Request, error: Exception) -> JSONResponse:
    return failure(400, str(error), param="response_format.json_schema.schema", code="invalid_json_schema")


def describe_large_body(_: Request, error: Exception) -> JSONResponse:
    return failure(413, str(error), code="body_too_large")


def describe_bad_body(_: Request, error: Exception) -> JSONResponse:
    """Names the fault that lies deepest; pydantic's own text never quotes the body here."""
    if not isinstance(error, ValidationError):
        raise error
    faults = error.errors(include_input=False, include_url=False)
    worst = max(faults, key=lambda fault: len(fault["loc"]))
    message = "This server knows no such field" if worst["type"] == "extra_forbidden" else worst["msg"]
    # pydantic's names for the members of a union (`str`, `list[TextPart]`) are no part of the body
    path = [str(part) for part in worst["loc"] if isinstance(part, int) or (part.isidentifier() and part != "str")]
    param = ".".join(path) or None
    return failure(400, f"{param}: {message}." if param else f"{message}.", param=param, code=worst["type"])


def describe_http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return failure(error.status_code, f"{error.detail}.")


def describe_departure(_: Request, __: Exception) -> Response:
    return Response(status_code=GONE)


def describe_fault(_: Request, __: Exception) -> JSONResponse:
    return failure(500, "The model server has a fault; its log has the details.", "server_error")
