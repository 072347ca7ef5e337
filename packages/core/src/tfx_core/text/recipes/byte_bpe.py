"""Byte-level BPE, a vocabulary with merges, and what goes around a text.

Radford et al. 2019, *Language Models are Unsupervised Multitask Learners*, section 2.2; Liu et al. 2019,
https://arxiv.org/abs/1907.11692, for texts that are enclosed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from tfx_core.errors import TextError, shown
from tfx_core.text.recipe import JSON, Recipe, Settings, TextFacts
from tfx_core.text.recipes.template import special_id, template
from tfx_core.text.vocabulary_files import read_merges, read_vocabulary_object

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder


def byte_bpe_recipe(
    facts: TextFacts,
    *,
    enclosed: bool = False,
    vocabulary_file: str = "vocab.json",
    merges_file: str = "merges.txt",
    options: Mapping[str, JSON] | None = None,
) -> Recipe:
    """The recipe of the families that released a byte-level vocabulary and its merges.

    ``enclosed`` texts stand between ``cls_token`` and ``sep_token``, a pair with two ``sep_token`` between: RoBERTa's
    form. Without it a text stands alone, or behind ``bos_token`` under the option ``add_bos_token``. ``options`` go
    over ``add_prefix_space``, ``errors`` and ``add_bos_token``, or ``trim_offsets`` where texts are enclosed.
    """
    files = _ByteBPE(enclosed, vocabulary_file, merges_file)
    own: dict[str, JSON] = {"trim_offsets": True} if enclosed else {"add_bos_token": False}
    return Recipe(
        facts,
        files=((vocabulary_file, merges_file),),
        build=files.build,
        options={"add_prefix_space": False, "errors": "replace", **own, **(options or {})},
        complete=_replacing_errors,
        adapt=files.adapt,
        legacy_files=files.legacy_files,
    )


def _replacing_errors(settings: Settings) -> Settings:
    """The settings; raises `TextError` for another way with bytes that are no text than to put U+FFFD for them."""
    if settings.text("errors") != "replace":
        raise TextError(
            f"{settings.label}: errors is {shown(settings.text('errors'))}; bytes that are no text can only be "
            'replaced: it must be "replace"'
        )
    return settings


@dataclass(frozen=True)
class _ByteBPE:
    enclosed: bool
    vocabulary_file: str
    merges_file: str

    def build(self, folder: "Folder", settings: Settings) -> Tokenizer:
        """The tokenizer of a vocabulary and its merges; raises `TextError` that names file, place and cure."""
        vocabulary = read_vocabulary_object(folder, self.vocabulary_file)
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

    def legacy_files(self, tokenizer: Tokenizer, settings: Settings) -> Mapping[str, bytes]:
        """The vocabulary in the order of ids, and the merges; none of another model in ``tokenizer.json``."""
        if not isinstance(tokenizer.model, models.BPE):
            return {}
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
                # by place: version 0.23 of the library has other names for these two
                (settings.special("sep_token"), special_id("sep_token", tokenizer, settings)),
                (settings.special("cls_token"), special_id("cls_token", tokenizer, settings)),
                trim_offsets=settings.flag("trim_offsets"),
                add_prefix_space=settings.flag("add_prefix_space"),
            )
        if settings.flag("add_bos_token"):
            return template("bos_token $A", "bos_token $A bos_token $B", tokenizer, settings)
        return processors.ByteLevel(trim_offsets=False)
