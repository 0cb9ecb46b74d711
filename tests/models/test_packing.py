"Packed models against a plain forward and backward pass over each text by itself."

import random
import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import DECODERS, ENCODERS, small_model

from plurality_nb.models.attention import (
    _attend_along_tree,
    _may_use_flex,
    node_mask,
    row_mask,
    tree_attention,
)
from plurality_nb.models.heads import widen_head
from plurality_nb.models.packing import micro_batches
from plurality_nb.models.sharing import may_share, packable, pair_rewards, sharing_gap
from plurality_nb.models.tree import Tree, prefix_tree


def random_pairs(n, seed, vocabulary=600):
    "Some pairs share a prompt, some a response; some responses are empty, equal, or the other's beginning."
    draw = random.Random(seed)

    def text(least, most):
        return [draw.randrange(1, vocabulary) for _ in range(draw.randrange(least, most))]

    def pair():
        if draw.random() < 0.2:
            return tuple(draw.choice(prompts) + text(0, 30) for _ in "ab")
        prompt = draw.choice(prompts)
        return (prompt + text(0, 30), prompt + text(0, 30))

    prompts = [text(2, 40) for _ in range(max(1, n // 2))]
    pairs = [pair() for _ in range(n - 3)]
    first, second = pairs[0]
    beginning = first[: len(first) // 2 + 1]
    return [*pairs, (first, first), (first, beginning), (second, first)]


def plain(model, pairs):
    "Each text by itself, with its gradients."

    def reward(ids):
        mask = torch.ones(1, len(ids), dtype=torch.long)
        return model(torch.tensor([ids]), attention_mask=mask, use_cache=False).logits[0, 0]

    rewards = torch.stack([torch.stack([reward(pair[side]) for pair in pairs]) for side in (0, 1)])
    return rewards.detach(), gradients(model, rewards)


def gradients(model, rewards, weight=1.0):
    loss = torch.nn.functional.softplus(0.3 - (rewards[0] - rewards[1])).sum() * weight
    model.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def packed(model, pairs, budget, share):
    rewards, total = torch.empty(2, len(pairs), dtype=model.dtype), {}
    with tree_attention(model) if share else nullcontext():
        for piece in micro_batches(pairs, budget, share=share):
            piece_rewards = pair_rewards(model, piece)
            rewards[:, piece["pairs"]] = piece_rewards.detach()
            for name, gradient in gradients(model, piece_rewards).items():
                total[name] = total.get(name, 0) + gradient
    return rewards, total


@pytest.mark.parametrize("budget", [1, 90, 10**6])
@pytest.mark.parametrize("kind", DECODERS + ENCODERS)
def test_rewards_and_gradients_are_those_of_the_plain_path(kind, budget):
    model, pairs = small_model(kind), random_pairs(9, seed=budget)
    assert packable(model) == (kind in DECODERS)
    want, slopes = plain(model, pairs)
    assert want.std() > 0.3
    length = torch.stack([g.norm() for g in slopes.values()]).norm()
    for share in (True, False) if kind in DECODERS else (False,):
        got, total = packed(model, pairs, budget, share)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-5)
        assert total.keys() == slopes.keys()
        for n, g in slopes.items():
            assert (total[n] - g).norm() <= 1e-4 * max(g.norm(), 1e-3 * length), n


def test_checkpointing_computes_the_same_gradients():
    model, pairs = small_model("Gemma3"), random_pairs(6, seed=1)
    packable(model)
    _, want = packed(model, pairs, 10**6, True)
    model.train().gradient_checkpointing_enable()
    _, got = packed(model, pairs, 10**6, True)
    for n, g in want.items():
        torch.testing.assert_close(got[n], g, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind, gap", [("Bloom", 0.1), ("Gemma2", None)])
def test_a_model_of_another_kind_is_found_out(kind, gap):
    "Bloom's positions are distances in the row, Gemma 2 caps its scores."
    model = small_model(kind)
    before = model.config._attn_implementation
    assert packable(model)
    if gap:
        assert sharing_gap(model, random_pairs(5, 0)) > gap
    else:
        with pytest.raises(ValueError, match="attention of another kind"):
            sharing_gap(model, random_pairs(5, 0))
    assert model.config._attn_implementation == before


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.booleans())
def test_every_pair_is_in_one_piece_and_every_piece_in_its_budget(seed, budget, share):
    pairs = random_pairs(random.Random(seed).randrange(4, 20), seed)
    pieces = list(micro_batches(pairs, budget, share=share))
    assert sorted(i for p in pieces for i in p["pairs"].tolist()) == list(range(len(pairs)))
    for piece in pieces:
        assert piece["inputs"]["input_ids"].numel() == piece["computed"] >= piece["tokens"]
        assert piece["computed"] <= budget or len(piece["pairs"]) == 1
        if share:
            ids = piece["inputs"]["input_ids"][0].tolist()
            until = piece["inputs"]["tree"].until
            rows = [pairs[i][side] for side in (0, 1) for i in piece["pairs"].tolist()]
            for end, row in zip(piece["inputs"]["ends"].tolist(), rows):
                assert [ids[k] for k in range(end + 1) if end < until[k]] == row


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, 1, 5, 1000]), st.sampled_from([1, 3, 256]))
def test_blocks_and_nodes_see_the_same(seed, window, piece):
    "The mask for GPUs against the nodes' own, and both against each token's path."
    rows = sorted({tuple(side) for p in random_pairs(5, seed, 4) for side in p})
    tree = Tree(prefix_tree([list(r) for r in rows], piece).nodes)
    length = tree.starts[-1]
    seen = torch.zeros(length, length, dtype=torch.bool)
    for node, path in enumerate(tree.paths):
        keys = [k for j in path for k in range(tree.starts[j], tree.starts[j + 1])]
        queries = range(tree.starts[node], tree.starts[node + 1])
        mask = node_mask(tree, node, window, torch.zeros(1))
        if mask is None:
            later = torch.ones(len(queries), len(keys)).triu(1).bool()
            mask = torch.zeros(len(queries), len(keys)).masked_fill(later, -torch.inf)
        for query, row in zip(queries, mask):
            seen[query, keys] = row == 0
    block = row_mask(tree, window, "cpu")
    query, key = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
    torch.testing.assert_close(block.mask_mod(0, 0, query, key), seen)


def test_the_token_that_the_reward_is_read_at_is_the_last_that_is_not_padding():
    "As transformers has it, even where the end token pads."
    model = small_model("Llama")
    packable(model)
    pairs = [([5, 6, 7, 0], [5, 6, 8, 9, 0, 0]), ([5, 0, 7], [0, 0])]
    want, _ = plain(model, pairs)
    got, _ = packed(model, pairs, 10**6, True)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


def flexible(tree, states, window, how=None):
    "What `_attend_along_tree` gives on a GPU, by the FlexAttention at hand; (1, tokens, heads, dim)."
    from torch.nn.attention.flex_attention import flex_attention

    mask = row_mask(tree, window, "cpu")
    length = tree.starts[-1]
    padded = [torch.nn.functional.pad(x, (0, 0, 0, mask.shape[-1] - length)) for x in states]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attended = (how or flex_attention)(*padded, block_mask=mask, enable_gqa=True)
    return attended[:, :, :length].transpose(1, 2)


def states_of(tree):
    return [torch.randn(1, heads, tree.starts[-1], 16) for heads in (4, 2, 2)]


def tree_of(seed, rows=6, longest=200):
    "Rows that share beginnings of many lengths."
    draw = random.Random(seed)
    trunk = [draw.randint(0, 3) for _ in range(longest)]
    made = [
        trunk[: draw.randint(1, longest)]
        + [draw.randint(4, 9) for _ in range(draw.randint(1, 150))]
        for _ in range(rows)
    ]
    return Tree(prefix_tree(sorted(made), 256).nodes)


@pytest.mark.parametrize("window", [None, 2, 150])
def test_flex_attention_along_the_tree_is_the_same(window):
    "What runs on GPUs, without its compiler."
    short = Tree(prefix_tree(sorted([[1, 2, 3, 4, 5], [1, 2, 3, 9], [1, 2, 7, 7], [8]]), 256).nodes)
    for tree in (short, tree_of(0)):
        states = states_of(tree)
        got, _ = _attend_along_tree(None, *states, tree=tree, sliding_window=window)
        want = flexible(tree, states, window)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("window", [None, 40, 300])
@pytest.mark.parametrize("seed", range(4))
def test_blocks_are_those_that_the_mask_needs(window, seed):
    "Blocks that are wholly seen are read without the mask, and those that are not listed never."
    from torch.nn.attention.flex_attention import create_block_mask

    tree = tree_of(seed, rows=4 + 3 * seed)
    mask = row_mask(tree, window, "cpu")
    length = mask.shape[-1]
    assert length % 128 == 0
    query, key = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
    seen = mask.mask_mod(0, 0, query, key).view(length // 128, 128, -1, 128).transpose(1, 2)
    count = seen.sum((2, 3))
    wholly = torch.zeros_like(count, dtype=torch.bool)
    for row, many in enumerate(mask.full_kv_num_blocks[0, 0]):
        wholly[row, mask.full_kv_indices[0, 0, row, :many].long()] = True
    listed = mask.to_dense()[0, 0].bool()
    assert (count[wholly] == 128 * 128).all()
    assert not count[~listed].any()
    if window is None:
        dense = create_block_mask(mask.mask_mod, None, None, length, length, device="cpu")
        assert (listed == dense.to_dense()[0, 0].bool()).all()
        assert int(wholly.sum()) == int(dense.full_kv_num_blocks.sum())


def test_rows_of_many_lengths_are_compiled_for_few():
    "A trace that stands for the compiler's: none is made for a length in a bucket already seen."
    from torch._dynamo.testing import CompileCounter
    from torch.nn.attention.flex_attention import flex_attention

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(flex_attention, backend=counter, dynamic=False)
    trees = [tree_of(seed, rows) for rows in (3, 5, 8) for seed in range(4)]
    lengths = {row_mask(tree, None, "cpu").shape[-1] for tree in trees}
    assert len(lengths) < len({tree.starts[-1] for tree in trees})
    for tree in trees:
        states = states_of(tree)
        got = flexible(tree, states, None, compiled)
        want, _ = _attend_along_tree(None, *states, tree=tree)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    assert counter.frame_count == len(lengths)


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_holds_its_rows(seed):
    draw = random.Random(seed)
    rows = sorted([draw.randint(0, 2) for _ in range(draw.randint(1, 12))] for _ in range(30))
    nodes, ends = prefix_tree(rows, piece=draw.choice([1, 3, 256]))
    spelled = []
    for parent, tokens in nodes:
        spelled.append([*(spelled[parent] if parent is not None else []), *tokens])
    assert [spelled[e] for e in ends] == rows
    assert sum(len(t) for _, t in nodes) == len(
        {tuple(r[:i]) for r in rows for i in range(1, len(r) + 1)}
    )
    siblings = [(parent, tokens[0]) for parent, tokens in nodes]
    assert len(set(siblings)) == len(siblings)


UNAWARE = ["GPTJ", "Bloom"]  # they never call transformers' attention interface


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", UNAWARE)
def test_models_that_do_not_call_the_attention_interface_do_not_share(kind, dtype, caplog):
    "In half precision their rewards on four pairs may look alike, so layers are counted."
    model = small_model(kind, initializer_range=0.02).to(dtype)
    torch.nn.init.normal_(model.score.weight, std=0.02)  # as small as a new head's
    assert packable(model)
    assert not may_share(model, random_pairs(5, 0), brief=True)  # as for scoring
    assert not may_share(model, random_pairs(5, 0))  # as for training
    assert "0 of 2 layers attend along the tree" in caplog.text


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", DECODERS)
def test_models_that_read_trees_share_in_every_type(kind, dtype, caplog):
    model = small_model(kind).to(dtype)
    assert packable(model)
    widen_head(model)
    for seed in range(3):
        assert may_share(model, random_pairs(5, seed), brief=bool(seed)), caplog.text


def test_what_padding_changes_is_the_measure_of_what_sharing_may_change(caplog):
    "A fault of .05 logits is more than rounding, in half precision too."
    model = small_model("Llama").to(torch.bfloat16)
    assert packable(model)
    widen_head(model)
    with torch.no_grad():
        model.score.weight.mul_(0.01)
    pairs = random_pairs(5, 0)
    assert may_share(model, pairs)
    read = model.forward

    def faulty(*args, tree=None, **kwargs):
        output = read(*args, tree=tree, **kwargs)
        if tree is not None:
            output.logits = output.logits + 0.05
        return output

    faulty.reads_trees = True
    model.forward = faulty
    assert not may_share(model, pairs)
    assert "changes a reward by 0.05" in caplog.text


def test_dropout_of_attention_is_left_to_the_path_that_knows_it():
    on_gpu = SimpleNamespace(device=torch.device("cuda"))
    assert _may_use_flex(on_gpu, 0.0)
    assert not _may_use_flex(on_gpu, 0.1)
    assert not _may_use_flex(torch.zeros(1), 0.0)
    tree = Tree(prefix_tree([[1, 2, 3], [1, 2, 4]]).nodes)
    q, k, v = (torch.randn(1, 2, tree.starts[-1], 8) for _ in "qkv")
    whole, _ = _attend_along_tree(None, q, k, v, tree=tree)
    parts = [_attend_along_tree(None, q, k, v, tree=tree, dropout=0.5)[0] for _ in range(2000)]
    assert (parts[0] != whole).any()
    torch.testing.assert_close(torch.stack(parts).mean(0), whole, rtol=0, atol=0.15)
