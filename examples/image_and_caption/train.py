"""Train MMBTs to answer what captions ask of pictures: by the caption alone, by the picture alone, and by both.

Prints the loss as it falls, then how often each is right on pictures that none has seen.
"""

import argparse
import json
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from pictures import LABELS, Example, examples, saved_tokenizer
from torch import Tensor

import tfx_core
from tfx_multimodal import ImageReader

BATCH, RATE, WARM_UP = 64, 2e-3, 50
MEASURED, SHOWN = 3000, 3
KINDS = ("caption alone", "picture alone", "both")
IMAGES = ImageReader(shortest_edge=None, crop_size=None)


def main() -> None:
    """Read the options, train three models, print, keep the one that sees both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model that sees both goes, and results.json")
    parser.add_argument("--steps", type=int, default=1000, help="batches that each model learns from (default: 1000)")
    arguments = parser.parse_args()
    tokenizer = saved_tokenizer(arguments.folder)
    unseen = list(islice(examples(seed=1), MEASURED))
    accuracies: dict[str, float] = {}
    for kind in KINDS:
        print(kind, flush=True)
        model = new_model(tokenizer)
        fit(model, tokenizer, kind, arguments.steps)
        accuracies[kind] = accuracy(model, tokenizer, kind, unseen)
    print("\n".join(f"{kind:14}{share:7.1%}" for kind, share in accuracies.items()))
    results = {"steps": arguments.steps, "examples": MEASURED, "accuracy": accuracies}
    (arguments.folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    keep(model, tokenizer, arguments.folder, unseen[:SHOWN])


def new_model(tokenizer: tfx_core.Tokenizer) -> tfx_core.Model:
    """A small BERT and a small ResNet, which know nothing yet, made one."""
    torch.manual_seed(0)
    text = tfx_core.new_model(
        "bert",
        seed=0,
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=16,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    image = tfx_core.new_model(
        "resnet", seed=0, layer_type="basic", embedding_size=16, hidden_sizes=[16, 32, 64], depths=[1, 1, 1]
    )
    return tfx_core.new_model(
        "mmbt",
        head="multimodal-classification",
        seed=0,
        parts={"text": text, "image": image},
        num_image_embeds=3,
        id2label=dict(enumerate(LABELS)),
    )


def batch(tokenizer: tfx_core.Tokenizer, chosen: Sequence[Example], kind: str) -> dict[str, Tensor]:
    """What a model of this kind is given: the picture or none, the caption or an empty one."""
    captions = ["" if kind == "picture alone" else each.caption for each in chosen]
    texts = tokenizer([f"{caption}{tokenizer.sep_token}" for caption in captions], add_special_tokens=False)
    inputs = dict(tokenizer.pad({"input_ids": texts["input_ids"]}, return_tensors="pt"))
    if kind == "caption alone":
        return inputs
    tokens = {"modal_start_tokens": tokenizer.cls_token_id, "modal_end_tokens": tokenizer.sep_token_id}
    around = {name: torch.tensor([token] * len(chosen)) for name, token in tokens.items()}
    return {**inputs, **around, "input_modal": IMAGES.batch([each.image for each in chosen])}


def fit(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, kind: str, steps: int) -> None:
    """AdamW with warm-up and a rate that falls to nothing; no picture is there twice but by chance."""
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    stream, begin = examples(seed=0), time.monotonic()
    model.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * (1 - step / steps)
        chosen = list(islice(stream, BATCH))
        loss = model(**batch(tokenizer, chosen, kind), labels=torch.tensor([each.label for each in chosen])).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"  step {step:4d}  loss {loss.item():.4f}  {time.monotonic() - begin:.0f} s", flush=True)


@torch.inference_mode()
def accuracy(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, kind: str, unseen: Sequence[Example]) -> float:
    """The share of the questions that it answers rightly."""
    model.eval()
    right = 0
    for first in range(0, len(unseen), BATCH):
        chosen = unseen[first : first + BATCH]
        found = model(**batch(tokenizer, chosen, kind)).logits.argmax(-1).tolist()
        right += sum(label == each.label for label, each in zip(found, chosen, strict=True))
    return right / len(unseen)


def keep(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, folder: Path, shown: Sequence[Example]) -> None:
    """Save the model with how its images are read, and some pictures with a file of lines for the command line."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    IMAGES.save_pretrained(folder)
    lines = []
    for number, each in enumerate(shown):
        each.image.save(folder / f"{number}.png")
        lines.append(json.dumps({"text": each.caption, "image": f"{number}.png"}))
    (folder / "shown.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"\n  tfx-core run multimodal-classification --model {folder} --file {folder}/shown.jsonl")


if __name__ == "__main__":
    main()
