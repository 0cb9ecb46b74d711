"""Judges real pairs with a random Qwen3 by `LocalJudge`, and by a plain forward pass over every question.

python tests/benchmarks/local_judge.py [--data real|made] [--pairs 40] [--repeats 3] [--device cuda --size 0.6b] [--clock processor --threads 1] [--append]

The data files are looked for in $PLURALITY_DATA, or in shared/data next to the repository. Pairs are
all those on prompts drawn at random. The vocabulary, of 32,000, is learned from the responses: in
this small model its last layer is over half of the work, in a Qwen3-0.6B a quarter, so `over_plain`
flatters a large model; `over_last_logit` leaves that layer out on both sides.

Sides: `local_judge`; `plain`, `model(input_ids).logits[0, -1]` for one question after the other;
`last_logit`, the same with `logits_to_keep=1`; `sampled`, ten answers a pair of two tokens each by
`generate`, tried on a few pairs alone. All of them render and tokenise. The sides take turns on a
few prompts at a time, `--repeats` times, and the fastest of each counts. Where others use the machine
too, `--clock processor` with one thread counts what a side computed, not what it waited for.
`products` are the matrix products of the first prompts without attention, in GFLOP: the same on any
machine. Prints one JSON line; `--append` keeps it.
"""

import argparse
import json
import os
import random
import sys
import time
import warnings
from pathlib import Path

import result_lines
from made_pairs import made_comparisons

RESULTS = Path(__file__).parent / "results" / "local_judge.jsonl"

SIZES = {"tiny": (192, 2), "0.6b": (1152, 28)}  # width, layers
FILES = ["alpaca_eval_gpt4_turbo_votes.jsonl.gz", "hh_harmless_base_test.jsonl.gz"]
CHAT = (
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{{m['content']}}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}"
)


def data_folder():
    folder = Path(
        os.environ.get("PLURALITY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
    )
    lacking = [f for f in FILES if not (folder / f).exists()]
    if lacking:
        files = ", ".join(lacking)
        sys.exit(f"{files} not in {folder}: set PLURALITY_DATA to the folder of the files")
    return folder


def make_tokenizer(texts, size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    specials = ["<|im_start|>", "<|im_end|>"]
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            special_tokens=specials,
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=specials[:1],
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def make_model(tokenizer, layers, width):
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    heads = width // 64
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 3),
        head_dim=64,
        max_position_embeddings=32768,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config).eval()


def draw_questions(ds, pairs, slice_pairs=8):
    "Both orders of the pairs on some prompts, a few prompts a slice."
    from plurality_nb.judges.prompts import Question

    rows = {}
    for group, *row in zip(ds["group"], ds["prompt"], ds["response_a"], ds["response_b"]):
        rows.setdefault(group, []).append(row)
    groups = sorted(rows)
    random.Random(0).shuffle(groups)
    slices, used = [[]], 0
    while sum(map(len, slices)) < 2 * pairs:
        if len(slices[-1]) >= 2 * slice_pairs:
            slices.append([])
        slices[-1] += [
            Question(p, *ab) for p, a, b in rows[groups[used]] for ab in ((a, b), (b, a))
        ]
        used += 1
    return slices, used


class Sides:
    "Ways to answer questions with one model; (questions, letters) probabilities."

    def __init__(self, judge):
        self.judge = judge
        self.model = judge.model

    def ids(self, question):
        from plurality_nb.judges.local import rendered

        text = rendered(self.judge.asking.messages(question), self.judge.tokenizer)
        tokens = self.judge.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        return tokens["input_ids"].to(self.model.device)

    def letters(self, logits):
        tokens_of = self.judge.likelihood.letters.values()
        return [float(logits.softmax(-1)[tokens].sum()) for tokens in tokens_of]

    def local_judge(self, questions):
        answers = {i: answer for i, (answer,) in self.judge.answers(questions)}
        return [list(json.loads(answers[i].raw).values()) for i in range(len(questions))]

    def plain(self, questions):
        return [self.letters(self.model(self.ids(q)).logits[0, -1]) for q in questions]

    def last_logit(self, questions):
        return [
            self.letters(self.model(self.ids(q), logits_to_keep=1).logits[0, -1]) for q in questions
        ]

    def generated(self, questions):
        "Samples five answers a question; returns nothing."
        for question in questions:
            self.model.generate(
                self.ids(question),
                do_sample=True,
                num_return_sequences=5,
                max_new_tokens=2,
                min_new_tokens=2,
            )


def products(side, questions):
    "Matrix products without attention, GFLOP."
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        side(questions)
    return round(counter.get_total_flops() / 1e9, 1)


def largest_gap(probabilities, exact):
    "Relative to the exact ones."
    rows = zip(probabilities, exact)
    return max(abs(p - e) / e for row, exact_row in rows for p, e in zip(row, exact_row))


def measure(judge, slices, repeats, sampled, clock):
    "Pairs a second of every side, their matrix products, and how far the probabilities are apart."
    import torch

    ways = Sides(judge)
    sides = [ways.local_judge, ways.plain, ways.last_logit]
    seconds = dict.fromkeys((side.__name__ for side in sides), 0.0)

    def timed(side, questions):
        judge._tokenise.cache_clear()
        start = clock()
        result = side(questions)
        return clock() - start, result

    with torch.inference_mode():
        for side in (*sides, ways.generated):  # what only a first call costs
            side(slices[0][:2])
        work = {side.__name__: products(side, slices[0]) for side in sides}
        gaps = []
        for questions in slices:
            runs = [[timed(side, questions) for side in sides] for _ in range(repeats)]
            for side, side_runs in zip(sides, zip(*runs)):
                seconds[side.__name__] += min(time for time, _ in side_runs)
            (_, shared), (_, plain), _ = runs[0]
            gaps.append(largest_gap(shared, plain))
        few = slices[0][: 2 * sampled]
        slow = min(timed(ways.generated, few)[0] for _ in range(repeats)) / len(few)
    n_pairs = sum(map(len, slices)) / 2
    rate = {name: n_pairs / time for name, time in seconds.items()}
    return rate | dict(sampled=1 / (2 * slow)), work, max(gaps)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument(
        "--sampled", type=int, default=2, help="pairs for which answers are sampled"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--data", choices=["real", "made"], default="real", help="made: pairs made on the spot"
    )
    parser.add_argument(
        "--size", choices=["small", *SIZES], default="small", help="small: by --layers and --width"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384, help="a multiple of 192")
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--append", action="store_true", help=f"add the line to {RESULTS.name}")
    args = parser.parse_args()
    began = result_lines.start()
    warnings.filterwarnings("ignore")
    os.environ["TQDM_DISABLE"] = "1"

    import torch
    import transformers

    from plurality_nb.data.loading import load_comparisons
    from plurality_nb.judges.local import LocalJudge, rendered
    from plurality_nb.models.tree import prefix_tree

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    if args.data == "made":
        data = {"made": made_comparisons(4 * args.pairs)}
    else:
        folder = data_folder()
        data = {f: load_comparisons(folder / f, strict=False) for f in FILES}
    tokenizer = make_tokenizer(
        (t for ds in data.values() for side in "ab" for t in ds[f"response_{side}"]),
        args.vocabulary,
    )
    width, layers = SIZES.get(args.size, (args.width, args.layers))
    dtype = torch.bfloat16 if args.device == "cuda" else torch.float32
    model = make_model(tokenizer, layers, width).to(args.device, dtype)
    judge = LocalJudge(model, tokenizer, judge_id="random", min_mass=0)
    weights = sum(p.numel() for p in model.parameters())
    out = dict(
        benchmark="local_judge",
        model=dict(
            kind="Qwen3",
            layers=layers,
            width=width,
            vocabulary=len(tokenizer),
            parameters=weights,
            dtype=str(dtype).removeprefix("torch."),
        ),
        clock=args.clock,
        load_before=round(os.getloadavg()[0], 1),
    )
    for name, ds in data.items():
        slices, prompts = draw_questions(ds, args.pairs)
        questions = [question for part in slices for question in part]
        rate, work, off = measure(
            judge,
            slices,
            args.repeats,
            args.sampled,
            time.perf_counter if args.clock == "wall" else time.process_time,
        )
        rows = sorted(
            tokenizer(
                [rendered(judge.asking.messages(q), tokenizer) for q in questions],
                add_special_tokens=False,
            )["input_ids"]
        )
        total, needed = sum(map(len, rows)), sum(len(t) for _, t in prefix_tree(rows)[0])
        out[name.partition("_")[0]] = dict(
            pairs=len(questions) // 2,
            prompts=prompts,
            tokens_a_question=round(total / len(rows)),
            tokens=total,
            not_shared=round(needed / total, 3),
            pairs_per_second={k: round(v, 3) for k, v in rate.items()},
            sampled_extrapolated_from=args.sampled,
            products=work,
            over_plain=round(rate["local_judge"] / rate["plain"], 2),
            over_last_logit=round(rate["local_judge"] / rate["last_logit"], 2),
            over_sampled=round(rate["local_judge"] / rate["sampled"], 1),
            relative_error=float(f"{off:.1g}"),
        )
    how = result_lines.how_made(began)
    how["versions"] |= dict(transformers=transformers.__version__)
    last = dict(threads=args.threads, load_after=round(os.getloadavg()[0], 1))
    result_lines.keep(out | how | last, RESULTS, args.append)


if __name__ == "__main__":
    main()
