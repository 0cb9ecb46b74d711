"Models and tokenizers made on the spot: two layers, random weights large enough to matter."

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from plurality_nb.data.sample import load_sample

CHAT = "{% for m in messages %}<|im_start|>{{m['role']}}\n{{m['content']}}<|im_end|>\n{% endfor %}"
DECODERS = ["Llama", "Qwen3", "Mistral", "Gemma3", "OPT", "GPTNeoX"]
ENCODERS = ["Bert", "DebertaV2"]


def small_tokenizer(encoder=False, template=True, size=600):
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    pieces.train_from_iterator(
        load_sample()["response_a"],
        trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=letters, special_tokens=specials, show_progress=False
        ),
    )
    if encoder:
        pieces.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> $B:1 </s>:1",
            special_tokens=[("<s>", 1), ("</s>", 2)],
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=pieces,
            pad_token="<pad>",
            cls_token="<s>",
            sep_token="</s>",
            model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="<pad>", eos_token="<|im_end|>"
    )
    tokenizer.chat_template = CHAT if template else None
    return tokenizer


def small_config(kind, vocabulary=600, window=16, **kwargs):
    "Of a model whose attention matters; its sliding windows, if it has any, are shorter than most texts."
    size = dict(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        initializer_range=0.3,
        pad_token_id=0,
    )
    own = dict(
        Llama=dict(num_key_value_heads=2),
        Qwen3=dict(num_key_value_heads=2, head_dim=8),
        Mistral=dict(num_key_value_heads=2, sliding_window=window),
        Phi3={},
        Gemma3Text=dict(
            num_key_value_heads=2,
            head_dim=8,
            sliding_window=window,
            layer_types=["sliding_attention", "full_attention"],
        ),
        OPT=dict(ffn_dim=64, word_embed_proj_dim=32),
        GPTNeoX={},
        Bert={},
        DebertaV2=dict(
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            type_vocab_size=0,
            position_buckets=32,
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            position_biased_input=False,
            pooler_hidden_size=32,
        ),
        Bloom=dict(n_layer=2, n_head=4),
        Gemma2=dict(num_key_value_heads=2, head_dim=8),
        GPT2=dict(n_inner=64),
        GPTJ=dict(n_embd=32, n_layer=2, n_head=4, rotary_dim=8),
        Mamba=dict(state_size=4),
    )
    name = {"Gemma3": "Gemma3Text"}.get(kind, kind)
    settings = size | own[name] | kwargs
    if kind == "GPT2":
        settings["n_positions"] = settings.pop("max_position_embeddings")
    return getattr(transformers, f"{name}Config")(**settings)


def small_model(kind, vocabulary=600, seed=0, **kwargs):
    "A reward model of transformers."
    torch.manual_seed(seed)
    model = transformers.AutoModelForSequenceClassification.from_config(
        small_config(kind, vocabulary, **dict(num_labels=1) | kwargs)
    )
    for name, p in model.named_parameters():
        if name.startswith(("score", "classifier")):
            torch.nn.init.normal_(p, std=0.3)
    return model.eval()
