"""What it takes to ask ten million questions of many servers: a simulation, and one measurement.

    OMP_NUM_THREADS=1 python tests/benchmarks/cluster_judging.py --append

Servers are simulated, in virtual time; requests are handed out by the code that hands them out in
earnest. Their model, stated in every line: a server reads the tokens that it has not in its cache
one request after the other, at a fixed rate, and then writes, at a fixed time a token, all requests
that are under way at once. A prompt that a server has read stays in its cache. `prompt_affinity`
false hands each request to the server with the fewest under way, whatever it has read.

Measured: processor time of the collector for one question, with store, against a server in another
process. The rest of the last line is arithmetic: hours of ten million questions, and their price.
"""

import argparse
import heapq
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import result_lines

RESULTS = Path(__file__).parent / "results" / "cluster_judging.jsonl"
SERVER = dict(read_tokens_per_second=20_000, seconds_per_written_token=0.03, seconds_before=0.02)
TEXTS = dict(prompt_tokens=450, response_tokens=300, written_tokens=4)  # of a request
PAIRS_A_PROMPT, ORDERS = 4, 2
QUESTIONS = 10_000_000
GPU_HOUR = 2.5  # in the currency of the reader; one GPU a server


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 8, 80])
    parser.add_argument("--concurrency", type=int, default=32, help="for each server")
    parser.add_argument("--append", action="store_true", help=f"add the lines to {RESULTS.name}")
    return parser.parse_args()


class Server:
    "In virtual time."

    def __init__(self) -> None:
        self.n_under_way = 0
        self.free_at = 0.0  # when it has read what it was sent
        self.known: set[str] = set()
        self.n_read = 0

    def end_of(self, prompt: str, now: float) -> float:
        "When a request ends that comes now."
        tokens = 2 * TEXTS["response_tokens"]
        if prompt not in self.known:
            tokens += TEXTS["prompt_tokens"]
            self.known.add(prompt)
        self.n_read += tokens
        begins = max(now + SERVER["seconds_before"], self.free_at)
        self.free_at = begins + tokens / SERVER["read_tokens_per_second"]
        return self.free_at + TEXTS["written_tokens"] * SERVER["seconds_per_written_token"]


def simulate(n_servers: int, n_requests: int, concurrency: int, affinity: bool) -> dict[str, Any]:
    from plurality_nb.judges.chat import _Talks

    servers = [Server() for _ in range(n_servers)]
    talks = _Talks(SimpleNamespace(), servers)  # type: ignore[arg-type]
    running: list[tuple[float, int, Server]] = []
    now = 0.0
    for number in range(n_requests):
        if len(running) == concurrency * n_servers:
            now, _, done = heapq.heappop(running)
            done.n_under_way -= 1
        prompt = str(number // (PAIRS_A_PROMPT * ORDERS))
        server = talks._choose(prompt if affinity else str(-number), [])
        assert server is not None
        server.n_under_way += 1
        heapq.heappush(running, (server.end_of(prompt, now), number, server))
    seconds = max(running)[0]
    whole = n_requests * (TEXTS["prompt_tokens"] + 2 * TEXTS["response_tokens"])
    return dict(
        servers=n_servers,
        concurrency=concurrency,
        prompt_affinity=affinity,
        requests=n_requests,
        requests_per_second=round(n_requests / seconds, 1),
        tokens_read_of_all=round(sum(server.n_read for server in servers) / whole, 3),
    )


def serve(pipe: Any) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from chat_server import ChatServer

    with ChatServer() as server:
        pipe.send(server.url)
        pipe.recv()


def collector_seconds(pairs: int = 128) -> float:
    "Processor seconds of the collector for a request, its answer stored."
    from plurality_nb.data.sample import load_sample
    from plurality_nb.judges.chat import ChatJudge
    from plurality_nb.judges.collect import ask_both_orders

    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=[theirs])
    process.start()
    judge = ChatJudge("m", base_url=ours.recv())
    ds = load_sample().select(range(pairs))
    with tempfile.TemporaryDirectory() as folder:
        ask_both_orders(ds.select([0]), judge, 2, progress=False)  # imports
        began = time.process_time()
        ask_both_orders(ds, judge, 2, store=Path(folder) / "s.sqlite", progress=False)
        took = time.process_time() - began
    ours.send("end")
    process.join()
    return took / (2 * pairs)


def main() -> None:
    options = read_options()
    for n_servers in options.servers:
        for affinity in (False, True):
            began = result_lines.start()
            found = simulate(n_servers, options.requests, options.concurrency, affinity)
            rate = found["requests_per_second"]
            hours = QUESTIONS / rate / 3600
            arithmetic = dict(
                hours_of_ten_million=round(hours, 1),
                price_of_ten_million=round(hours * n_servers * GPU_HOUR),
            )
            line = dict(benchmark="cluster_judging", kind="simulated") | found | arithmetic
            whole = line | SERVER | TEXTS | result_lines.how_made(began)
            result_lines.keep(whole, RESULTS, options.append)
    began = result_lines.start()
    seconds = collector_seconds()
    line = dict(
        benchmark="cluster_judging",
        kind="measured",
        collector_processor_seconds=round(seconds, 5),
        requests_per_second_of_a_collector=round(1 / seconds),
    )
    result_lines.keep(line | result_lines.how_made(began), RESULTS, options.append)


if __name__ == "__main__":
    main()
