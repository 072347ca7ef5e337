"""Train a small BART on a made-up language, and see how often its attention tells which word comes from which.

Prints the loss as it falls, then a table of rules: for each layer and step, and for the mean or the greatest of its
heads, how many words of the translations are aligned rightly.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
from language import Example, Languages, saved_tokenizer
from torch import Tensor

import tfx_core
from tfx_core.alignment import AlignmentRule, best_rule, word_alignments

BATCH, RATE, WARM_UP = 64, 3e-3, 100
STEPS: tuple[Literal["read", "written"], ...] = ("read", "written")
COLUMNS: tuple[tuple[Literal["mean", "max"], Literal["norms", "weights"]], ...] = (
    ("mean", "norms"),
    ("mean", "weights"),
    ("max", "norms"),
    ("max", "weights"),
)


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--steps", type=int, default=800, help="batches to learn from (default: 800)")
    parser.add_argument("--layers", type=int, default=2, help="of encoder and decoder each (default: 2)")
    parser.add_argument("--width", type=int, default=64)
    arguments = parser.parse_args()
    languages = Languages.made(words=32)
    tokenizer = saved_tokenizer(arguments.folder)
    model = new_model(tokenizer, arguments.layers, arguments.width)
    fit(model, tokenizer, languages, arguments.steps)
    model.save_pretrained(arguments.folder)
    watched, measured = (list(islice(languages.examples(seed), 500)) for seed in (1, 2))
    rule = best_rule(model, tokenizer, [each.source for each in watched], [each.target for each in watched])
    print_table(model, tokenizer, measured, arguments.layers)
    share = rightly_aligned(model, tokenizer, measured, rule)
    print(f"chosen without knowing what is right: layer {rule.layer}, {rule.step}: {share:.1%} of the words are right")
    print_some(arguments.folder, rule, measured)


def new_model(tokenizer: tfx_core.Tokenizer, layers: int, width: int) -> tfx_core.Model:
    """A BART, with whatever is random begun from a fixed seed."""
    return tfx_core.new_model(
        "bart",
        head="conditional-generation",
        seed=0,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=2 * width,
        decoder_ffn_dim=2 * width,
        dropout=0.0,
        init_std=0.06,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )


def fit(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, languages: Languages, steps: int) -> None:
    """AdamW with warm-up and a rate that falls to nothing; no sentence is there twice but by chance."""
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.0)
    examples, begin = languages.examples(0), time.monotonic()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * (1 - step / steps)
        loss = model(**batch(tokenizer, list(islice(examples, BATCH)))).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step:4d}  loss {loss.item():.4f}  {time.monotonic() - begin:.0f} s", flush=True)


def batch(tokenizer: tfx_core.Tokenizer, examples: Sequence[Example]) -> dict[str, Tensor]:
    """Sources, their mask and labels, padded on the right."""
    sources = tokenizer([each.source for each in examples], padding=True, return_tensors="pt")
    targets = tokenizer(text_target=[each.target for each in examples], padding=True, return_tensors="pt")
    labels = targets.input_ids.masked_fill(targets.attention_mask == 0, -100)
    return {"input_ids": sources.input_ids, "attention_mask": sources.attention_mask, "labels": labels}


def rightly_aligned(
    model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, examples: Sequence[Example], rule: AlignmentRule
) -> float:
    """The share of the target words that are aligned with the word of which they are the translation."""
    sources, targets = [each.source for each in examples], [each.target for each in examples]
    found = word_alignments(model, tokenizer, sources, targets, rule=rule)
    right = sum(
        each.origins[target] == source
        for each, alignment in zip(examples, found, strict=True)
        for source, target in alignment.pairs
    )
    return right / sum(len(each.origins) for each in examples)


def print_table(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, examples: Sequence[Example], layers: int) -> None:
    """How often each rule is right."""
    print(f"\n| layer | step | {' | '.join(f'{pick} of {by}' for pick, by in COLUMNS)} |")
    print(f"|---|---|{'---|' * len(COLUMNS)}")
    for layer in range(layers):
        for step in STEPS:
            rules = (AlignmentRule(layer=layer, step=step, pick=pick, by=by) for pick, by in COLUMNS)
            shares = (f"{rightly_aligned(model, tokenizer, examples, rule):.1%}" for rule in rules)
            print(f"| {layer} | {step} | {' | '.join(shares)} |", flush=True)
    print()


def print_some(folder: Path, rule: AlignmentRule, examples: Sequence[Example]) -> None:
    """What the pipeline gives for the folder."""
    translate = tfx_core.pipeline(
        "translation",
        model=folder,
        max_new_tokens=40,
        return_alignments=True,
        alignment_layer=rule.layer,
        alignment_step=rule.step,
    )
    for each, found in zip(examples[:5], translate([each.source for each in examples[:5]]), strict=True):
        print(f"{each.source}\n  {found['translation_text']}  {found['alignment']}")
    flags = f"--alignments --alignment-layer {rule.layer} --alignment-step {rule.step}"
    print(f'\n  tfx-core run translation --model {folder} {flags} "{examples[0].source}"')


if __name__ == "__main__":
    main()
