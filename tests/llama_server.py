"""Serves a small random language model over the OpenAI protocol until it is killed.

python tests/llama_server.py FOLDER

Prints the address that the server, llama.cpp's own, listens on. The model has some 150 kB and reads
bytes. What it writes means nothing, but its probabilities are real, and it is built to answer with
one of the letters A, B, C and then to stop.
"""

import sys
import time
from pathlib import Path

import gguf
import numpy as np
import xllamacpp

WIDTH, HEADS, FEED, LAYERS, CONTEXT = 32, 2, 64, 2, 8192
END, LETTERS = 2, slice(-3, None)  # rows of the vocabulary
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokens():
    "Bytes as tokens, and the letters that a judge answers with."
    kinds = gguf.TokenType
    special = [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
    return (
        special
        + [(f"<0x{i:02X}>", kinds.BYTE) for i in range(256)]
        + [("A", kinds.NORMAL), ("B", kinds.NORMAL), ("C", kinds.NORMAL)]
    )


def add_metadata(out):
    vocabulary = tokens()
    out.add_name("random")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(len(vocabulary))
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list([token for token, _ in vocabulary])
    out.add_token_scores([0.0] * len(vocabulary))
    out.add_token_types([kind for _, kind in vocabulary])
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(END)
    out.add_add_bos_token(True)
    out.add_chat_template(TEMPLATE)


def add_tensors(out, rng):
    """Random weights, but for the first column of the embeddings: it tells letters from other text.

    After other text the output prefers a letter, and after a letter the end."""
    n_tokens = len(tokens())

    def add_random(name, *shape, scale=0.2, first_column=()):
        weights = rng.normal(size=shape) * scale
        for rows, value in first_column:
            weights[rows, 0] = value
        out.add_tensor(name, weights.astype(np.float32))

    everything = (slice(None), 8)
    add_random(
        "token_embd.weight", n_tokens, WIDTH, scale=1, first_column=[everything, (LETTERS, -24)]
    )
    for i in range(LAYERS):
        out.add_tensor(f"blk.{i}.attn_norm.weight", np.ones(WIDTH, np.float32))
        out.add_tensor(f"blk.{i}.ffn_norm.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add_random(f"blk.{i}.{name}.weight", WIDTH, WIDTH)
        add_random(f"blk.{i}.ffn_gate.weight", FEED, WIDTH)
        add_random(f"blk.{i}.ffn_up.weight", FEED, WIDTH)
        add_random(f"blk.{i}.ffn_down.weight", WIDTH, FEED)
    out.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    add_random(
        "output.weight", n_tokens, WIDTH, scale=0.25, first_column=[(LETTERS, 2.5), (END, -3)]
    )


def write_model(path, seed=4):
    out = gguf.GGUFWriter(str(path), "llama")
    add_metadata(out)
    add_tensors(out, np.random.default_rng(seed))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


def main():
    params = xllamacpp.CommonParams()
    params.model.path = str(write_model(Path(sys.argv[1]) / "random.gguf"))
    params.model_alias = {"random"}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel, params.n_predict = 4 * CONTEXT, 4, 64
    params.cpuparams.n_threads = 1
    params.warmup = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
