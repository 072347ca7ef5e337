"""Train a small GPT-2 on the text that CPython carries, for a few minutes, with a plain torch loop.

Prints the loss and the held-out bits per byte as they fall, beside byte models of order 3 and 5 on the same split, and
completes three prompts. The folder that it writes works with ``tfx-core run text-generation`` and with transformers.
"""

import argparse
import json
import math
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from byte_model import ByteModel
from corpus import split
from tokenizers import ByteLevelBPETokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

import tfx_core

VOCABULARY, LENGTH, BATCH = 4096, 128, 16
RATE, WARM_UP = 4e-3, 50
SAID_AGAIN = 12.0
"""Seconds after which the loss is printed again, if nothing else was."""
END = "<|endoftext|>"
PROMPTS = ("The with statement", "Return a list of", "A string literal is")


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--minutes", type=float, default=4.0, help="how long to train (default: 4)")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    arguments = parser.parse_args()
    if not hasattr(torch.optim, "Muon"):
        sys.exit(f"Error: torch {torch.__version__} has no torch.optim.Muon; 2.9 and later ones have")
    try:
        trained(arguments)
    except KeyboardInterrupt:
        print("\nInterrupted; a run that is to be whole begins anew.", file=sys.stderr)
        sys.exit(130)


def trained(arguments: argparse.Namespace) -> None:
    """Train, print, and say where the results are."""
    training, held_out = split()
    train_bytes, held_bytes = ("\n".join(texts).encode() for texts in (training, held_out))
    print(f"{len(training)} documents of {len(train_bytes) / 1e6:.1f} MB to learn from", flush=True)
    print(f"{len(held_out)} documents of {len(held_bytes) / 1e6:.2f} MB held out")
    for order in (3, 5):
        print(
            f"byte model of order {order}: {ByteModel(train_bytes, order).bits_per_byte(held_bytes):.3f} bits per byte",
            flush=True,
        )

    tokenizer = trained_tokenizer(training, arguments.folder)
    ids = tokenized(tokenizer, training)
    held_ids = tokenized(tokenizer, held_out)
    model = tfx_core.new_model(
        "gpt2",
        head="causal-lm",
        seed=0,
        vocab_size=len(tokenizer),
        n_positions=LENGTH,
        n_embd=arguments.width,
        n_layer=arguments.layers,
        n_head=arguments.width // 64,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {len(ids) / 1e6:.2f} M tokens", flush=True)
    fit(model, ids, held_ids, len(held_bytes), arguments.minutes * 60)
    model.save_pretrained(arguments.folder)
    print(f"held out: {bits_per_byte(model, held_ids, len(held_bytes)):.3f} bits per byte", flush=True)
    for prompt in PROMPTS:
        print(f"\n> {prompt}\n{completed(model, tokenizer, prompt)}")
    folder = shlex.quote(str(arguments.folder))
    print(f"\nThe model is in {arguments.folder}; > marks the prompts. To try next:")
    print(f'  {tfx_core_command()} run text-generation --model {folder} "The with statement"')
    print(f'  {tfx_core_command()} run perplexity --model {folder} "A string literal is a text."')


def tfx_core_command() -> str:
    """What to type for the tfx-core of this environment."""
    script = Path(sys.executable).with_name("tfx-core")
    if shutil.which("tfx-core") == str(script):
        return "tfx-core"
    return shlex.quote(os.path.relpath(script)) if script.exists() else f"{shlex.quote(sys.executable)} -m tfx_core"


def trained_tokenizer(texts: list[str], folder: Path) -> tfx_core.Tokenizer:
    """Byte-level BPE of GPT-2's kind, trained on the texts and read back from its released form of files."""
    trainer = ByteLevelBPETokenizer()
    trainer.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=[END], show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    return tfx_core.load_tokenizer(folder)


def tokenized(tokenizer: tfx_core.Tokenizer, texts: list[str]) -> Tensor:
    """All texts after one another, with the end token between."""
    rows = tokenizer(texts)["input_ids"]
    end = [tokenizer.eos_token_id]
    return torch.from_numpy(np.concatenate([np.asarray([*row, *end], dtype=np.int64) for row in rows]))


def fit(model: tfx_core.Model, ids: Tensor, held_ids: Tensor, held_bytes: int, seconds: float) -> None:
    """Muon (Jordan et al. 2024) for matrices, AdamW for the rest, with warm-up and a rate that ends with the time.

    There is time for few updates, and orthogonal ones get further with each.
    """
    generator = torch.Generator().manual_seed(0)
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        (others if parameter.dim() < 2 or "embeddings" in name else matrices).append(parameter)
    optimisers: tuple[torch.optim.Optimizer, ...] = (
        torch.optim.Muon(matrices, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
    )
    begin, step, told, said, mean = time.monotonic(), 0, 0.0, 0.0, math.nan
    while (done := (time.monotonic() - begin) / seconds) < 1:
        rate = RATE * min(1.0, (step + 1) / WARM_UP) * (1 - done)
        starts = torch.randint(len(ids) - LENGTH, (BATCH,), generator=generator)
        batch = torch.stack([ids[start : start + LENGTH] for start in starts])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(batch, labels=batch).loss
        assert loss is not None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        step += 1
        mean = loss.item() if math.isnan(mean) else 0.95 * mean + 0.05 * loss.item()
        if done < told and time.monotonic() - said < SAID_AGAIN:
            continue
        measured = ""
        if done >= told:
            told += 0.125
            bits = bits_per_byte(model, held_ids[: 80 * LENGTH], round(held_bytes * 80 * LENGTH / len(held_ids)))
            measured = f"  held out {bits:.3f} bits per byte"
        print(f"{done:4.0%}  step {step:5d}  loss {mean:.3f}{measured}", flush=True)
        said = time.monotonic()


@torch.no_grad()
def bits_per_byte(model: tfx_core.Model, ids: Tensor, size: int) -> float:
    """Bits for all tokens but the first, each after at least half a window of context where there is as much."""
    model.eval()
    half, total = LENGTH // 2, 0.0
    windows = ids.unfold(0, LENGTH, half)  # (windows, LENGTH); what is left behind the last one goes unread
    for number, batch in enumerate(torch.split(windows, BATCH)):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(batch).logits
        labels = batch.clone()
        labels[1 if number == 0 else 0 :, :half] = -100  # counted in the window before
        total += float(cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"))
    model.train()
    read = half * (len(windows) + 1)
    return total / math.log(2) / (size * read / len(ids))


def completed(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, prompt: str) -> str:
    """60 tokens that go on with the prompt, sampled."""
    model.eval()
    batch = tokenizer([prompt], return_tensors="pt")
    ids = model.generate(**batch, max_new_tokens=60, do_sample=True, top_p=0.9, temperature=0.7, seed=0)
    return tokenizer.decode(ids[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)


if __name__ == "__main__":
    main()
