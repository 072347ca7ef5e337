"""What tells whether a prepared corpus is still the one of its sources and its tokenizer."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfx_core import Tokenizer
from tfx_training.corpus.documents import Document

_PROBE = (
    "The 2 quick-brown foxes' café — isn't it? 3.14% of $1,000.50… (E.g. \"naïve\" Ångström)\n\n  A\ttab. ÀÉ ß Straße "
    "Слово 東京都は 你好。 안녕 हिन्दी العربية 👍🏽 <s> [CLS] </s> state-of-the-art anti-establishment 1st. Mr. O'Neil"
)
"""A text that tokenizers cut differently."""


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 over the vocabulary and the ids of a text that shows how texts are cut."""
    files = {} if tokenizer.origin is None else tokenizer.origin.copied
    parts = [
        json.dumps(sorted(tokenizer.get_vocab().items())),
        json.dumps(tokenizer(_PROBE, add_special_tokens=False)["input_ids"]),
        *(hashlib.sha256(contents).hexdigest() for _, contents in sorted(files.items())),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def sources_fingerprint(files: Iterable[Path], options: Mapping[str, object]) -> str:
    """SHA-256 over the options and each file's name, bytes and time of change."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for path in files:
        stat = path.stat()
        digest.update(json.dumps([path.name, stat.st_size, stat.st_mtime_ns]).encode())
    return digest.hexdigest()


def is_held_out(document: Document, share: float) -> bool:
    """Whether a document is one of the share that is held out: decided by its texts alone, so that it stays there."""
    digest = hashlib.blake2b("\0".join(part.text for part in document.parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
