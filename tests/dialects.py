"""Thirteen servers that speak the OpenAI protocol, each in its own way, as one loopback server.

What each refuses, in which words and in which form, is as its users have reported it."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from chat_server import ChatServer

Refusal = tuple[int, object] | None  # status and body


def is_first_good(body: dict) -> bool:
    "Whether the response that is shown first is the one that calls itself good."
    text = body["messages"][-1]["content"]
    return "| good" in text.partition("Response A")[2].partition("Response B")[0]


def openai_error(message: str, param: str, code: str) -> dict:
    return dict(error=dict(message=message, type="invalid_request_error", param=param, code=code))


def unsupported(name: str, remedy: str = "") -> tuple[int, dict]:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{remedy}"
    return 400, openai_error(message, name, "unsupported_parameter")


def refuse_openai_o(body: dict) -> Refusal:
    if "max_tokens" in body:
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    if "temperature" in body:
        return unsupported("temperature")
    if body.get("logprobs"):
        message = "You are not allowed to request logprobs from this model"
        return 403, openai_error(message, None, None)
    return None


def refuse_gpt_5(body: dict) -> Refusal:
    if "max_tokens" in body:
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    if body.get("temperature", 1) != 1:
        message = (
            "Unsupported value: 'temperature' does not support 0 with this model. "
            "Only the default (1) value is supported."
        )
        return 400, openai_error(message, "temperature", "unsupported_value")
    if body["max_completion_tokens"] < 16:
        message = (
            "Invalid 'max_output_tokens': integer below minimum value. "
            "Expected a value >= 16, but got 1 instead."
        )
        return 400, openai_error(message, "max_output_tokens", "integer_below_min_value")
    return None


def refuse_azure(body: dict) -> Refusal:
    if body.get("top_logprobs", 0) > 5:
        message = "Invalid value for 'top_logprobs': must be less than or equal to 5."
        return 400, openai_error(message, "top_logprobs", None)
    return None


def refuse_vllm(body: dict) -> Refusal:
    allowed = body.get("top_logprobs", 0) <= 5
    if allowed:
        return None
    message = "Requested sample logprobs of 20, which is greater than max allowed: 5"
    return 400, dict(object="error", message=message, type="BadRequestError", param=None, code=400)


def refuse_sglang(body: dict) -> Refusal:
    if "seed" not in body:
        return None
    found = (
        "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), "
        "'msg': 'Extra inputs are not permitted', 'input': 3}]"
    )
    return 400, dict(object="error", message=found, type="Bad Request", param=None, code=400)


def refuse_llama_cpp(body: dict) -> Refusal:
    if body.get("n", 1) == 1:
        return None
    message = "Only one completion choice is allowed"
    return 400, dict(error=dict(code=400, message=message, type="invalid_request_error"))


def refuse_tgi(body: dict) -> Refusal:
    if body["temperature"] == 0:
        message = "Input validation error: `temperature` must be strictly positive"
        return 422, dict(error=message, error_type="validation")
    if body.get("top_logprobs", 0) > 5:
        message = "Input validation error: `top_n_tokens` must be >= 0 and <= 5. Given: 20"
        return 422, dict(error=message, error_type="validation")
    return None


def refuse_mistral(body: dict) -> Refusal:
    unknown = [name for name in ("seed", "logprobs", "max_completion_tokens") if name in body]
    if not unknown:
        return None
    detail = [
        dict(type="extra_forbidden", loc=["body", name], msg="Extra inputs are not permitted")
        for name in unknown
    ]
    return 422, dict(
        object="error", message=dict(detail=detail), type="invalid_request_error", param=None
    )


def refuse_gemini(body: dict) -> Refusal:
    def google(message: str) -> tuple[int, list]:
        error = dict(code=400, message=message, status="INVALID_ARGUMENT")
        return 400, [dict(error=error)]

    if "seed" in body:
        return google('Invalid JSON payload received. Unknown name "seed": Cannot find field.')
    if body.get("logprobs"):
        return google("Logprobs is not enabled for models/gemini-2.5-flash")
    if body.get("n", 1) > 2:
        return google(
            f"Unable to submit request because it has a candidateCount value of {body['n']} but "
            "the supported range is from 1 (inclusive) to 3 (exclusive). Update the value and try "
            "again."
        )
    return None


def refuse_anthropic(body: dict) -> Refusal:
    if body.get("n", 1) == 1:
        return None
    message = "n: Input should be equal to 1"
    code = "invalid_request_error"
    return 400, dict(error=dict(code=code, message=message, type=code, param=None))


def refuse_openrouter(body: dict) -> Refusal:
    if "temperature" not in body:
        return None
    raw = openai_error("Unsupported parameter: 'temperature'", "temperature", None)
    metadata = dict(raw=json.dumps(raw), provider_name="OpenAI")
    return 400, dict(error=dict(message="Provider returned error", code=400, metadata=metadata))


def refuse_deepseek(body: dict) -> Refusal:
    if body.get("n", 1) > 1:
        return 400, dict(detail="Invalid n value (currently only n = 1 is supported)")
    if body.get("logprobs"):
        message = "deepseek-reasoner does not support the parameter `logprobs`"
        return 400, openai_error(message, None, "invalid_request_error")
    return None


def plain(text: str) -> dict:
    return dict(role="assistant", content=text)


def with_field(name: str) -> Callable[[str], dict]:
    "A message whose reasoning, in a field of its own, calls the other response better."

    def message(text: str) -> dict:
        other = "B" if text.startswith("A") else "A"
        return dict(plain(text), **{name: f"Response {other} is better. The answer is {other}."})

    return message


def in_parts(text: str) -> dict:
    other = "B" if text.startswith("A") else "A"
    thought = dict(type="text", text=f"Response {other} is better.")
    parts = [dict(type="thinking", thinking=[thought]), dict(type="text", text=text)]
    return dict(role="assistant", content=parts)


@dataclass
class ServerDialect:
    refuse: Callable[[dict], Refusal] = lambda body: None
    message: Callable[[str], dict] = plain
    most_answers: int = 99  # for one request, whatever was asked for
    gives_logprobs: bool = True
    first: tuple[int, object] | None = None  # status and body of the very first answer
    before: bytes = b""  # what keeps the connection alive
    facts: dict = field(default_factory=dict)  # of each reply


_OVERLOADED = dict(
    id=None,
    choices=None,
    usage=None,
    error=dict(message="Provider returned error", code=429, metadata=dict(raw="Too Many Requests")),
)
_LOADING = dict(error=dict(message="Loading model", code=503, type="unavailable_error"))

DIALECTS = dict(
    openai_o=ServerDialect(refuse_openai_o, gives_logprobs=False),
    gpt_5=ServerDialect(refuse_gpt_5, facts=dict(system_fingerprint=None)),
    azure=ServerDialect(refuse_azure, facts=dict(prompt_filter_results=[dict(prompt_index=0)])),
    vllm=ServerDialect(refuse_vllm, with_field("reasoning_content")),
    sglang=ServerDialect(refuse_sglang),
    llama_cpp=ServerDialect(refuse_llama_cpp, first=(503, _LOADING)),
    ollama=ServerDialect(
        message=with_field("reasoning"),
        most_answers=1,
        gives_logprobs=False,
        facts=dict(system_fingerprint="fp_ollama"),
    ),
    tgi=ServerDialect(refuse_tgi, most_answers=1),
    mistral=ServerDialect(refuse_mistral, in_parts, gives_logprobs=False),
    gemini=ServerDialect(refuse_gemini, gives_logprobs=False),
    anthropic=ServerDialect(refuse_anthropic, gives_logprobs=False),
    openrouter=ServerDialect(
        refuse_openrouter,
        with_field("reasoning"),
        most_answers=1,
        gives_logprobs=False,
        first=(200, _OVERLOADED),
        facts=dict(provider="OpenAI"),
    ),
    deepseek=ServerDialect(
        refuse_deepseek, with_field("reasoning_content"), gives_logprobs=False, before=b"\n\n\n"
    ),
)


def answer_text(body: dict) -> str:
    "The right answer, in the form that the question asks for."
    is_first = is_first_good(body)
    if "A=<number>" in body["messages"][-1]["content"]:
        return "A=7 B=2 tie=1" if is_first else "A=2 B=7 tie=1"
    return "A" if is_first else "B"


def first_token(body: dict) -> dict:
    "Probabilities 0.75 and 0.2 of the answers, the right one first."
    tokens = "AB" if is_first_good(body) else "BA"
    top = [
        dict(token=token, logprob=math.log(p), bytes=list(token.encode()))
        for token, p in zip([*tokens, " " + tokens[0]], (0.5, 0.2, 0.25), strict=True)
    ]
    return dict(content=[top[0] | dict(top_logprobs=top)])


def reply_in(dialect: ServerDialect, body: dict) -> dict:
    n_answers = min(body.get("n", 1), dialect.most_answers)
    has_logprobs = body.get("logprobs") and dialect.gives_logprobs
    choices = [
        dict(
            index=i,
            message=dialect.message(answer_text(body)),
            finish_reason="stop",
            logprobs=first_token(body) if has_logprobs else None,
        )
        for i in range(n_answers)
    ]
    n_words = len(re.findall(r"\w+", body["messages"][-1]["content"]))
    usage = dict(prompt_tokens=2 * n_words, completion_tokens=3 * n_answers)
    return dict(id="x", model="m-2026-01-01", choices=choices, usage=usage) | dialect.facts


def dialect_server(name: str) -> ChatServer:
    "A server that speaks a dialect; `with` starts it."
    dialect = DIALECTS[name]

    def answer(body: dict, handler: object) -> dict | None:
        if dialect.first and len(handler.server.chat.bodies) == 1:
            status, first = dialect.first
            return handler.send(status, first)
        if refusal := dialect.refuse(body):
            return handler.send(*refusal)
        reply = dialect.before + json.dumps(reply_in(dialect, body)).encode()
        return handler.send(200, reply)

    return ChatServer(answer)
