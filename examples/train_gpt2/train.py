"""Train a small GPT-2 on the text that CPython carries, for a few minutes, with the command ``tfx-core pretrain``.

Prints the commands, the loss as it falls, and the held-out bits per byte beside byte models of order 3 and 5 on the
same split, and completes three prompts. The folder that is written works with ``tfx-core run text-generation`` and with
transformers.
"""

import argparse
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from byte_model import ByteModel
from corpus import split
from torch import Tensor
from torch.nn.functional import cross_entropy

import tfx_core

VOCABULARY, LENGTH, BATCH = 4096, 128, 16
RATE, WARM_UP = 4e-3, 50
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
    folder: Path = arguments.folder
    texts = [written(each, folder / f"{name}.jsonl") for name, each in (("texts", training), ("held-out", held_out))]
    run("tokenizer", "train", "--like", "gpt2", "--vocab-size", VOCABULARY, "--corpus", texts[0], "--out", folder)
    run(*pretraining(arguments, *texts))

    model, tokenizer = tfx_core.load_model(folder), tfx_core.load_tokenizer(folder)
    print(f"{model.num_parameters() / 1e6:.1f} M parameters")
    held_ids = tokenized(tokenizer, held_out)
    print(f"held out: {bits_per_byte(model, held_ids, len(held_bytes)):.3f} bits per byte", flush=True)
    for prompt in PROMPTS:
        print(f"\n> {prompt}\n{completed(model, tokenizer, prompt)}")
    print(f"\nThe model is in {folder}; > marks the prompts. To try next:")
    quoted = shlex.quote(str(folder))
    print(f'  {tfx_core_command()} run text-generation --model {quoted} "The with statement"')
    print(f'  {tfx_core_command()} run perplexity --model {quoted} "A string literal is a text."')


def written(texts: Sequence[str], file: Path) -> Path:
    """A corpus of documents, as JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps({'text': text})}\n" for text in texts), encoding="utf-8")
    return file


def pretraining(arguments: argparse.Namespace, texts: Path, held_out: Path) -> Sequence[object]:
    """The command that trains a GPT-2 of these sizes.

    Muon (Jordan et al. 2024) is for matrices, AdamW for the rest: there is time for few updates, and orthogonal ones
    get further with each.
    """
    sizes = {
        "n_positions": LENGTH,
        "n_embd": arguments.width,
        "n_layer": arguments.layers,
        "n_head": arguments.width // 64,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
    }
    keys = [part for name, value in sizes.items() for part in ("--config-key", f"{name}={value}")]
    corpus = ("--corpus", texts, "--held-out", held_out, "--option", f"length={LENGTH}")
    updates = ("--batch-size", BATCH, "--optimiser", "muon", "--rate", RATE, "--warmup", WARM_UP, "--betas", 0.9, 0.98)
    # a processor without AVX-512 takes many times as long for bfloat16
    quick = torch.accelerator.is_available() or "AVX512" in torch.backends.cpu.get_cpu_capability()
    precision = "bf16" if quick else "no"
    how = ("--minutes", arguments.minutes, "--precision", precision, "--log-every", 1, "--anew")
    model = ("--objective", "causal", "--config", "gpt2", *keys, "--tokenizer", arguments.folder)
    return ("pretrain", *model, *corpus, *updates, *how, "--out", arguments.folder)


def run(*words: object) -> None:
    """Print a command of tfx-core and run it; ends this program where it fails, as it does."""
    typed = [str(word) for word in words]
    print(f"$ {tfx_core_command()} {shlex.join(typed)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "tfx_core", *typed], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def tokenized(tokenizer: tfx_core.Tokenizer, texts: Sequence[str]) -> Tensor:
    """All texts after one another, with the end token between."""
    rows = tokenizer(list(texts))["input_ids"]
    end = [tokenizer.eos_token_id]
    return torch.from_numpy(np.concatenate([np.asarray([*row, *end], dtype=np.int64) for row in rows]))


def tfx_core_command() -> str:
    """What to type for the tfx-core of this environment."""
    script = Path(sys.executable).with_name("tfx-core")
    if shutil.which("tfx-core") == str(script):
        return "tfx-core"
    return shlex.quote(os.path.relpath(script)) if script.exists() else f"{shlex.quote(sys.executable)} -m tfx_core"


@torch.no_grad()
def bits_per_byte(model: tfx_core.Model, ids: Tensor, size: int) -> float:
    """Bits for all tokens but the first, each after at least half a window of context where there is as much."""
    model.eval()
    half, total = LENGTH // 2, 0.0
    windows = ids.unfold(0, LENGTH, half)  # (windows, LENGTH); what is left behind the last one goes unread
    for number, batch in enumerate(torch.split(windows, BATCH)):
        logits = model(batch).logits
        labels = batch.clone()
        labels[1 if number == 0 else 0 :, :half] = -100  # counted in the window before
        total += float(cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"))
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
