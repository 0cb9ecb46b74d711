"""What `gpu.sh` measures besides training and judging; each command prints JSON lines.

python tests/benchmarks/gpu_checks.py peak              the card's bf16 matrix-product peak, measured
python tests/benchmarks/gpu_checks.py exactness         the packed engine against a plain pass, on the card
python tests/benchmarks/gpu_checks.py flash-preference  whether flash-preference installs beside this transformers

`exactness` compares rewards and gradients of pairs that share beginnings, computed as one tree
(FlexAttention on CUDA), with one text after the other: in float32, and in bf16 against the float32
rewards beside what plain bf16 is off by; with full attention (Llama, Qwen3) and with sliding
windows (Mistral, Gemma 3). With dropout on, the two passes draw different masks, so what is
checked is that a seed gives the same packed rewards again, and another seed others.

flash-preference (PyPI: flash-pref 0.1.1) pins transformers < 4.52, needs `flash_attn`, and its
trainer reads the columns that TRL had before version 1, so it cannot train next to this package;
the line says how far it comes on this machine.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

Pairs = Sequence[tuple[list[int], list[int]]]
KINDS = ["Llama", "Qwen3", "Mistral", "Gemma3"]


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def measured_peak(device: str, side: int, seconds: float = 3.0) -> dict:
    "The best rate of square bf16 products that this device reaches, in TFLOP a second."
    a = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    b = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        synchronise(device)
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        synchronise(device)
        best = min(best, (time.perf_counter() - start) / 10)
    return dict(
        benchmark="matmul_peak",
        device=device_name(device),
        side=side,
        tflops=round(2 * side**3 / best / 1e12, 3),
        torch=torch.__version__,
    )


def random_pairs(count: int, seed: int) -> Pairs:
    "Pairs of tokens; four in five pairs share a prompt with the pair's other side."
    draw = random.Random(seed)

    def text(least: int, most: int) -> list[int]:
        return [draw.randrange(1, 600) for _ in range(draw.randrange(least, most))]

    prompts = [text(40, 300) for _ in range(count // 2)]
    pairs = []
    for _ in range(count):
        prompt = draw.choice(prompts)
        other = prompt if draw.random() < 0.8 else draw.choice(prompts)
        pairs.append((prompt + text(1, 120), other + text(1, 120)))
    return pairs


def gradients(model: torch.nn.Module, rewards: torch.Tensor) -> dict[str, torch.Tensor]:
    "Of the Bradley-Terry loss with a margin of 0.3."
    loss = torch.nn.functional.softplus(0.3 - (rewards[0] - rewards[1])).sum()
    model.zero_grad()
    loss.backward()
    named = model.named_parameters()
    return {name: p.grad.clone().float() for name, p in named if p.grad is not None}


def plain_pass(model: torch.nn.Module, pairs: Pairs) -> tuple[torch.Tensor, dict]:
    "Each text by itself: rewards (2, pairs) and gradients."
    device = next(model.parameters()).device

    def reward(ids: list[int]) -> torch.Tensor:
        row = torch.tensor([ids], device=device)
        return model(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False).logits[
            0, 0
        ]

    rewards = torch.stack([torch.stack([reward(pair[side]) for pair in pairs]) for side in (0, 1)])
    return rewards.detach().float(), gradients(model, rewards)


def packed_pass(model: torch.nn.Module, pairs: Pairs, budget: int) -> tuple[torch.Tensor, dict]:
    "All pairs as trees of shared beginnings: rewards (2, pairs) and gradients."
    from plurality_nb.models.attention import tree_attention
    from plurality_nb.models.packing import micro_batches
    from plurality_nb.models.sharing import pair_rewards

    device = next(model.parameters()).device
    rewards = torch.empty(2, len(pairs))
    total: dict[str, torch.Tensor] = {}
    with tree_attention(model):
        for piece in micro_batches(pairs, budget, share=True):
            piece["inputs"] = {
                name: value.to(device) if hasattr(value, "to") else value
                for name, value in piece["inputs"].items()
            }
            both = torch.stack(list(pair_rewards(model, piece)))
            rewards[:, piece["pairs"]] = both.detach().float().cpu()
            for name, gradient in gradients(model, both).items():
                total[name] = total.get(name, 0) + gradient
    return rewards, total


def relative_gap(ours: dict, theirs: dict) -> float:
    "Largest difference of a gradient, relative to its own length or a thousandth of all."
    length = torch.stack([g.norm() for g in theirs.values()]).norm()
    gaps = [(ours[n] - g).norm() / max(g.norm(), 1e-3 * length) for n, g in theirs.items()]
    return float(max(gaps))


def check_exactness(kind: str, device: str, pairs: Pairs) -> dict:
    from small_models import small_model

    from plurality_nb.models.sharing import packable

    # FlexAttention on a card wants heads of 16 or more.
    size = (
        dict(hidden_size=64, head_dim=32) if kind in ("Qwen3", "Gemma3") else dict(hidden_size=128)
    )
    model = small_model(kind, **size).to(device)
    assert packable(model)
    plain, slopes = plain_pass(model, pairs)
    packed, packed_slopes = packed_pass(model, pairs, 10**6)
    model = model.to(torch.bfloat16)
    plain_bf16, _ = plain_pass(model, pairs)
    packed_bf16, _ = packed_pass(model, pairs, 10**6)
    plain, plain_bf16 = plain.cpu(), plain_bf16.cpu()
    dropout = small_model(kind, attention_dropout=0.3, **size).to(device).train()
    packable(dropout)
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(packed_pass(dropout, pairs, 10**6)[0])
    line = dict(
        benchmark="exactness",
        kind=kind,
        device=device_name(device),
        pairs=len(pairs),
        spread=float(plain.std()),
        reward_gap_float32=float((packed - plain).abs().max()),
        gradient_gap_float32=relative_gap(packed_slopes, slopes),
        reward_gap_bf16=float((packed_bf16 - plain).abs().max()),
        plain_gap_bf16=float((plain_bf16 - plain).abs().max()),
        dropout_repeats=bool(torch.equal(drawn[0], drawn[1])),
        dropout_drops=not torch.allclose(drawn[0], drawn[2], atol=1e-3),
    )
    line["exact"] = (
        line["reward_gap_float32"] < 1e-4
        and line["gradient_gap_float32"] < 1e-3
        and line["reward_gap_bf16"] < 2 * line["plain_gap_bf16"] + 1e-3
        and line["dropout_repeats"]
        and line["dropout_drops"]
    )
    return line


def exactness(device: str) -> int:
    # Reduced precision of float32 products would hide what is to be seen.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    pairs = random_pairs(24, seed=0)
    failed = 0
    for kind in KINDS:
        try:
            line = check_exactness(kind, device, pairs)
        except Exception as error:  # the others are still worth knowing
            text = f"{type(error).__name__}: {error}"
            line = dict(benchmark="exactness", kind=kind, exact=False, error=text[:400])
        failed += not line["exact"]
        print(json.dumps(line), flush=True)
    return failed


def flash_preference(wheels: str) -> dict:
    "Tries to install flash-pref next to the transformers that is here, and to import its trainer."
    line = dict(benchmark="flash_preference")
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--find-links", wheels]
        install = subprocess.run([*pip, "flash-pref"], capture_output=True, text=True)
        line["installs"] = install.returncode == 0
        if install.returncode:
            line["why"] = (install.stdout + install.stderr).strip().splitlines()[-1][:300]
            forced = [*pip, "--no-deps", "--target", folder, "flash-pref"]
            if subprocess.run(forced, capture_output=True).returncode:
                return line | dict(imports=False)
        code = "import flash_pref; flash_pref.FlashRewardTrainer"
        path = dict(PYTHONPATH=folder, PATH="/usr/bin")
        loaded = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=path
        )
        line["imports"] = loaded.returncode == 0
        if loaded.returncode:
            line["import_error"] = loaded.stderr.strip().splitlines()[-1][:300]
    return line


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["peak", "exactness", "flash-preference"])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument(
        "--wheels", default="wheels", help="folder with wheels for flash-preference"
    )
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA card here; --device cpu tests the script")
    if args.command == "peak":
        side = 8192 if args.device == "cuda" else 512
        print(json.dumps(measured_peak(args.device, side)))
        return 0
    if args.command == "exactness":
        return int(exactness(args.device) > 0)
    wheels = str(Path(args.wheels).resolve())
    print(json.dumps(flash_preference(wheels)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
