"""Servers take turns, each gets the same unseen questions, and the figures follow from what was noted."""

from itertools import islice

import pytest

from tandem.errors import ModelRejected, ModelUnavailable
from tandem.evals.load import Load, Timing
from tandem.evals.memory import Memory
from tandem.evals.model_bench import Plan, Run, bench_models, make_prompts
from tandem.evals.questions import Question
from tests.evals.conftest import PacedServer, Serve

QUESTIONS = [Question(passage=f"Ferry {n} leaves at {n}.", question=f"When does ferry {n} leave?") for n in range(7)]


def contents(server: PacedServer) -> list[str]:
    return [body["messages"][-1]["content"] for body in server.asked]


def test_the_figures_of_known_moments() -> None:
    loads = (
        Load((Timing(0.0, (1.0, 1.1, 1.2), 3), Timing(0.0, (2.0, 2.1), 2)), 4.0),
        Load((Timing(10.0, (13.0, 13.5), 2), Timing(10.0, (), 0, "429: full")), 6.0),
    )
    run = Run("http://a", 2, loads, Memory(100.0, 80.0))
    twice = Run("http://b", 2, tuple(Load(load.timings, load.seconds * 2) for load in loads))
    described = twice.describe(run)
    assert described == {
        "url": "http://b",
        "concurrency": 2,
        "answer_tokens_per_s": 0.35,  # 7 tokens in 20 seconds
        "requests_per_s": 0.15,  # 3 were answered
        "first_token_s": {"p50": 2.0, "p95": 2.9},
        "token_gap_ms": {"p50": 100.0, "p99": 488.0},  # of 100, 100, 100 and 500
        "memory_mb": None,
        "memory_pss_mb": None,
        "requests": 4,
        "failures": 1,
        "failure": "429: full",
        "tokens_per_answer": 2.3333,
        "rounds": [0.625, 0.1667],
        "ratios": {"answer_tokens_per_s": 0.5, "first_token_p50": 1.0, "first_token_p95": 1.0, "memory_mb": None},
    }
    assert run.describe(run)["memory_mb"] == 100.0
    assert run.describe(run)["ratios"]["memory_mb"] == 1.0


def test_a_burst_of_other_work_in_one_round_leaves_the_ratio_alone() -> None:
    def rounds(*seconds: float) -> Run:
        return Run("", 1, tuple(Load((Timing(0.0, (taken / 2, taken), 2),), taken) for taken in seconds))

    ratios = rounds(1, 40, 1).describe(rounds(2, 2, 2))["ratios"]
    assert (ratios["answer_tokens_per_s"], ratios["first_token_p50"]) == (2.0, 0.5)


def test_a_run_of_failures_has_no_times() -> None:
    run = Run("http://a", 1, (Load((Timing(0.0, (), 0, "500: no"),), 1.0),))
    described = run.describe(run)
    assert (described["answer_tokens_per_s"], described["requests_per_s"], described["failures"]) == (0, 0, 1)
    assert described["first_token_s"] == {"p50": None, "p95": None}
    assert described["ratios"]["answer_tokens_per_s"] is None


def test_no_two_prompts_share_more_than_the_system_s_part() -> None:
    prompts = [*islice(make_prompts(QUESTIONS, seed=1), 20), *islice(make_prompts(QUESTIONS, seed=1), 20)]
    assert len({str(prompt[0]) for prompt in prompts}) == 1
    assert len({prompt[1]["content"].split(":")[0] for prompt in prompts}) == 40
    once, again = ([prompt[1]["content"].split(":", 1)[1] for prompt in part] for part in (prompts[:20], prompts[20:]))
    assert once == again
    assert len(set(once[:7])) == 7
    assert once != [p[1]["content"].split(":", 1)[1] for p in islice(make_prompts(QUESTIONS, seed=2), 20)]


async def test_servers_take_turns_and_get_the_same_prompts_once(paced: Serve) -> None:
    servers = [paced(), paced()]
    plan = Plan(tuple(server.url for server in servers), (1, 3), requests=4, rounds=2, answer_tokens=5)
    told: list[str] = []
    runs = await bench_models(plan, QUESTIONS, told.append)
    assert [(run.url, run.concurrency) for run in runs] == [(s.url, level) for level in (1, 3) for s in servers]
    for run in runs:
        described = run.describe(run)
        assert described["requests"] == 2 * plan.size(run.concurrency)
        assert described["failures"] == 0
        assert described["tokens_per_answer"] == 5
        assert described["memory_mb"] > 0
    first, second = servers
    assert contents(first)[0] == contents(second)[0]
    assert sorted(contents(first)) == sorted(contents(second))
    assert len(set(contents(first))) == len(contents(first)) == 1 + 2 * (4 + 6)
    assert len(told) == plan.total
    for begin, end in first.busy:  # never both at the same time
        assert not [1 for other_begin, other_end in second.busy if begin < other_end and other_begin < end]


async def test_seen_prompts_are_sent_once_before_they_are_measured(paced: Serve) -> None:
    server = paced()
    plan = Plan((server.url,), (2,), requests=4, rounds=2, answer_tokens=5, seen=True)
    [run] = await bench_models(plan, QUESTIONS)
    asked = contents(server)[1:]
    assert sorted(asked[:4]) == sorted(asked[4:8])
    assert not set(asked[:8]) & set(asked[8:])
    assert run.describe(run)["requests"] == 8
    assert len(server.asked) == plan.total


async def test_failures_later_on_are_counted(paced: Serve) -> None:
    server = paced(status=503, failing_from=3)
    [run] = await bench_models(Plan((server.url,), (1,), requests=4, rounds=1, answer_tokens=5), QUESTIONS)
    described = run.describe(run)
    assert (described["requests"], described["failures"]) == (4, 2)
    assert described["failure"].startswith("503")


async def test_a_server_that_is_absent_or_refuses_ends_the_run_at_once(paced: Serve) -> None:
    well = paced()
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:1"):
        await bench_models(Plan((well.url, "http://127.0.0.1:1"), (1,)), QUESTIONS)
    assert not well.asked
    ill = paced(status=500)
    with pytest.raises(ModelRejected, match=r"500: .*too many"):
        await bench_models(Plan((ill.url,), (1,)), QUESTIONS)
