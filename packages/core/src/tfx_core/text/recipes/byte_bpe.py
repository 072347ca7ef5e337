"""Byte-level BPE (``vocab.json`` with ``merges.txt``): Radford et al. 2019, *Language Models are Unsupervised Multitask
Learners*, section 2.2, and what RoBERTa and BART put around it.
"""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from tfx_core.errors import CheckpointError, TextError
from tfx_core.text.recipe import JSON, Settings, TextFacts
from tfx_core.text.template import special_id, template

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder


@dataclass(frozen=True)
class ByteBPE:
    """The recipe of GPT-2 and of the families that took over its vocabulary.

    ``enclosed`` texts stand between ``cls_token`` and ``sep_token``, a pair with two ``sep_token`` between: RoBERTa's
    form. Without it a text stands alone, or behind ``bos_token`` under the option ``add_bos_token``.
    """

    facts: TextFacts
    enclosed: bool = False
    vocabulary_file: str = "vocab.json"
    merges_file: str = "merges.txt"
    options: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def files(self) -> tuple[tuple[str, ...], ...]:
        """The vocabulary with the merges."""
        return ((self.vocabulary_file, self.merges_file),)

    def build(self, folder: "Folder", settings: Settings) -> Tokenizer:
        """The tokenizer of a vocabulary and its merges; raises `TextError` that names file, place and cure."""
        vocabulary = read_vocabulary(folder, self.vocabulary_file)
        label = f"{folder.label}/{self.merges_file}"
        merges = read_merges(folder.require(self.merges_file).read_bytes(), vocabulary, label)
        # The original makes unk_token of a byte that the vocabulary lacks; the library, unless told, drops it.
        role = settings.special_tokens.get("unk_token")
        unknown = role.content if role is not None and role.content in vocabulary else None
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=unknown))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=settings.flag("add_prefix_space"))
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.post_processor = self._post_processor(tokenizer, settings)
        return tokenizer

    def adapt(self, tokenizer: Tokenizer, settings: Settings) -> None:
        """The blank before a text, and special tokens around it, as ``tokenizer_config.json`` states them."""
        pre_tokenizer = tokenizer.pre_tokenizer
        if "add_prefix_space" in settings.declared and isinstance(pre_tokenizer, pre_tokenizers.ByteLevel):
            pre_tokenizer.add_prefix_space = settings.flag("add_prefix_space")
            tokenizer.pre_tokenizer = pre_tokenizer
        post_processor = tokenizer.post_processor
        if self.enclosed:
            changed = bool(settings.declared & {"add_prefix_space", "trim_offsets"})
            changed = changed and isinstance(post_processor, processors.RobertaProcessing)
        else:
            changed = settings.flag("add_bos_token") and isinstance(post_processor, processors.ByteLevel)
        if changed:
            tokenizer.post_processor = self._post_processor(tokenizer, settings)

    def legacy_files(self, tokenizer: Tokenizer, settings: Settings, folder: "Folder") -> Mapping[str, bytes]:
        """The vocabulary in the order of ids, and the merges."""
        model = json.loads(tokenizer.to_str())["model"]
        vocabulary = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        return {
            self.vocabulary_file: json.dumps(vocabulary, ensure_ascii=False).encode("utf-8"),
            self.merges_file: "".join(f"{line}\n" for line in ("#version: 0.2", *merges)).encode("utf-8"),
        }

    def _post_processor(self, tokenizer: Tokenizer, settings: Settings) -> processors.PostProcessor:
        if self.enclosed:
            return processors.RobertaProcessing(
                sep=(settings.special("sep_token"), special_id("sep_token", tokenizer, settings)),
                cls=(settings.special("cls_token"), special_id("cls_token", tokenizer, settings)),
                trim_offsets=settings.flag("trim_offsets"),
                add_prefix_space=settings.flag("add_prefix_space"),
            )
        if settings.flag("add_bos_token"):
            return template("bos_token $A", "bos_token $A bos_token $B", tokenizer, settings)
        return processors.ByteLevel(trim_offsets=False)


def read_vocabulary(folder: "Folder", name: str) -> dict[str, int]:
    """Token -> id from a JSON file, in which ids run from 0 without a gap; raises `TextError` for anything else."""
    label = f"{folder.label}/{name}"
    try:
        folder.require(name)
        vocabulary = folder.json(name) or {}
    except CheckpointError as error:
        raise TextError(f"{error}; a vocabulary is an object of token -> id") from error
    tokens: dict[int, str] = {}
    for token, number in vocabulary.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise TextError(f"{label}: the id of {token!r} is {number!r}; it must be a whole number")
        if number in tokens:
            raise TextError(f"{label}: {tokens[number]!r} and {token!r} have the same id {number}; ids must differ")
        tokens[number] = token
    if not tokens:
        raise TextError(f"{label}: it is empty; a vocabulary is an object of token -> id")
    gap = next((number for number in range(len(tokens)) if number not in tokens), None)
    if gap is not None:
        raise TextError(
            f"{label}: no token has the id {gap}, but {tokens[max(tokens)]!r} has {max(tokens)}; the file is damaged "
            "or of another model; fetch it again"
        )
    return vocabulary


def read_merges(data: bytes, vocabulary: Container[str], label: str) -> list[tuple[str, str]]:
    """The pairs of tokens that are joined, the first first: a line each, behind a line ``#version``.

    Raises `TextError` with the number of a line that is no pair, or whose tokens the vocabulary lacks.
    """
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TextError(f"{label}: byte {error.start} is not UTF-8; fetch the file again") from error
    merges: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        pair = line.split()
        if not pair or (number == 1 and line.startswith("#version")):
            continue
        if len(pair) != 2:
            raise TextError(f"{label}, line {number}: {line[:80]!r} is no pair of tokens; fetch the file again")
        for token in (*pair, "".join(pair)):
            if token not in vocabulary:
                raise TextError(
                    f"{label}, line {number}: joins {pair[0]!r} and {pair[1]!r}, but the vocabulary lacks {token!r}; "
                    "the two files are of different models"
                )
        merges.append((pair[0], pair[1]))
    return merges


GPT2 = ByteBPE(
    facts=TextFacts(
        tokenizer_class="GPT2Tokenizer",
        special_tokens=dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"),
    ),
    options={"add_prefix_space": False, "add_bos_token": False},
)

BART = ByteBPE(
    facts=TextFacts(
        tokenizer_class="BartTokenizer",
        special_tokens={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "mask_token": AddedToken("<mask>", lstrip=True, special=True, normalized=False),
        },
    ),
    enclosed=True,
    options={"add_prefix_space": False, "trim_offsets": True},
)
"""Lewis et al. 2020, https://arxiv.org/abs/1910.13461; the vocabulary and form of RoBERTa."""
