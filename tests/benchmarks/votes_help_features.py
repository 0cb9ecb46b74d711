"""What a probe reads of responses: sentence embeddings, or states of SmolLM2 (for votes_help.py)."""

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset

from plurality_nb.data.outputs import cache_folder
from plurality_nb.models.smollm2 import SMOLLM2, named_model
from plurality_nb.models.tokens import prompt_text
from plurality_nb.rewards.probe_model import probe_inputs

LONGEST = 384  # tokens of a response that are read
BATCH = 12
SIZE = 14.5  # mean distance of inputs from their mean, which suits the probe's steps: MiniLM's


class StateReader:
    "Mean of the last layer's states over a response that follows its prompt."

    def __init__(self) -> None:
        from transformers import AutoModel, AutoTokenizer

        folder = named_model(SMOLLM2)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def states(self, prompt: Sequence[dict], responses: Sequence[str]) -> np.ndarray:
        "(responses, dim): the prompt is read once."
        chat = self.tokenizer.apply_chat_template(
            list(prompt), add_generation_prompt=True, tokenize=False
        )
        start = self.tokenizer(chat, return_tensors="pt", add_special_tokens=False).input_ids
        before = self.model(start, use_cache=True).past_key_values
        rows = [
            self.tokenizer(text, add_special_tokens=False).input_ids[:LONGEST] or [0]
            for text in responses
        ]
        order = np.argsort([len(row) for row in rows])
        states = np.zeros((len(rows), self.model.config.hidden_size), np.float32)
        for first in range(0, len(rows), BATCH):
            batch = order[first : first + BATCH]
            states[batch] = self._read(before, start.shape[1], [rows[i] for i in batch])
        return states

    def _read(self, before, prompt_tokens: int, rows: list[list[int]]) -> np.ndarray:
        longest = max(map(len, rows))
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        is_read = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        cache = deepcopy(before)
        cache.batch_repeat_interleave(len(rows))
        mask = torch.cat([torch.ones(len(rows), prompt_tokens, dtype=torch.long), is_read], 1)
        out = self.model(tokens, past_key_values=cache, attention_mask=mask).last_hidden_state
        weights = is_read[:, :, None] / is_read.sum(1)[:, None, None]
        return (out * weights).sum(1).numpy()


def _states_of_prompt(reader: list[StateReader], prompt: Sequence[dict], responses: list[str]):
    "From the cache, or read and kept."
    text = "\n".join([prompt_text(prompt), *responses])
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = (cache_folder() or Path("/tmp")) / "votes_help" / "states" / f"{name}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not reader:
            reader.append(StateReader())
        np.save(path, reader[0].states(prompt, responses))
    return np.load(path)


def smollm2_inputs(ds: Dataset) -> tuple[np.ndarray, np.ndarray]:
    "(pairs, dim + 1) of A and of B: standardised states, and the logarithm of the length."
    texts = [prompt_text(prompt) for prompt in ds["prompt"]]
    prompt_of = dict(zip(texts, ds["prompt"]))
    sides = ds["response_a"][:], ds["response_b"][:]
    responses: dict[str, dict[str, int]] = {}
    for side in sides:
        for text, response in zip(texts, side):
            responses.setdefault(text, {}).setdefault(response, len(responses.get(text, {})))
    reader: list[StateReader] = []
    states = {
        text: _states_of_prompt(reader, prompt_of[text], list(numbers))
        for text, numbers in responses.items()
    }
    every = np.concatenate(list(states.values()))
    mean, spread = every.mean(0), every.std(0)
    scale = SIZE / np.sqrt(every.shape[1])

    def of_side(side: Sequence[str]) -> np.ndarray:
        rows = [states[text][responses[text][response]] for text, response in zip(texts, side)]
        lengths = np.log1p([len(response) for response in side])[:, None]
        inputs = scale * (np.stack(rows) - mean) / np.maximum(spread, 1e-6)
        return np.concatenate([inputs, lengths], 1).astype(np.float32)

    return of_side(sides[0]), of_side(sides[1])


# What multiplies the last input, the logarithm of a response's length. With 1, as the comparison was named beforehand, it has a
# standard deviation of .6 where the embedding's numbers have 14 together, so that a probe that stops early, or whose weights
# decay, hardly learns of it.
LENGTH_SCALE = {False: 1, True: 12}


def with_lengths(inputs: np.ndarray, responses: Sequence[str], scale: float) -> np.ndarray:
    "The last column is the logarithm of the length, of this scale."
    lengths = np.log1p([len(response) for response in responses])[:, None]
    return np.concatenate([inputs[:, :-1], scale * lengths], 1).astype(np.float32)


def read_inputs(ds: Dataset, features: str) -> tuple[np.ndarray, np.ndarray]:
    "What the probe reads of both responses of each pair; `none`: nothing, where none is trained."
    if features == "none":
        nothing = np.zeros((len(ds), 1), np.float32)
        return nothing, nothing
    kind = features.removesuffix("_length")
    if kind == "smollm2":
        a, b = smollm2_inputs(ds)
    else:
        a, b = (part.numpy() for part in probe_inputs(ds, progress=False))
    scale = LENGTH_SCALE[kind != features]
    return with_lengths(a, ds["response_a"][:], scale), with_lengths(b, ds["response_b"][:], scale)
