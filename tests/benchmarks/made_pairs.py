"""Comparisons made on the spot, for machines that have no data files.

Prompts and responses are strings of words of the authored sample, as long as those of HH-RLHF on
average (some 150 words a prompt, 50 a response, widely spread), with two pairs on each prompt.
"""

import math
import random


def made_comparisons(pairs: int, seed: int = 0):
    "Labelled comparisons; the same for the same arguments on every machine."
    from plurality_nb.data.build import to_comparisons
    from plurality_nb.data.sample import load_sample

    words = " ".join(load_sample()["response_a"]).split()
    draw = random.Random(seed)

    def text(median: float) -> str:
        length = int(math.exp(draw.gauss(math.log(median), 0.6))) + 2
        return " ".join(draw.choices(words, k=length))

    rows = []
    for i in range(pairs):
        if i % 2 == 0:
            prompt = text(120)
        rows.append(dict(prompt=prompt, chosen=text(40), rejected=text(40)))
    return to_comparisons(rows)


def made_tokenizer(template: str, vocabulary: int = 30_522):
    "Byte pairs learned from the authored sample, filled up to a usual size of a vocabulary."
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from plurality_nb.data.sample import load_sample

    inside = Tokenizer(models.BPE())
    inside.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["[PAD]", "[SEP]"],
        show_progress=False,
    )
    inside.train_from_iterator(load_sample()["response_a"], trainer)
    inside.add_tokens([f"<unused {i}>" for i in range(vocabulary - inside.get_vocab_size())])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inside, pad_token="[PAD]", eos_token="[SEP]"
    )
    tokenizer.chat_template = template
    return tokenizer
