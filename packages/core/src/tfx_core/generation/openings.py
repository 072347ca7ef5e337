"""Prompts that begin as no text of a model's training did: a warning, once for a tokenizer."""

import warnings
from collections.abc import Mapping
from weakref import WeakSet

import torch

from tfx_core.errors import shown
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.stopping import TextDecoder
from tfx_core.habits import nearest

_TOLD: WeakSet[TextDecoder] = WeakSet()
"""Tokenizers of whose prompts a warning has spoken."""


def check_openings(prompts: Prompts, tokenizer: TextDecoder | None, stacklevel: int) -> None:
    """Warn of a prompt that begins with none of the tokenizer's ``control_codes``, where it has any.

    Of ids alone nothing is known: which token each stands for only a vocabulary says.
    """
    codes = getattr(tokenizer, "control_codes", None)
    if tokenizer is None or not codes or not isinstance(codes, Mapping) or prompts.vectors is not None:
        return
    if tokenizer in _TOLD:
        return
    known = torch.tensor(list(codes.values()), device=prompts.ids.device)
    wrong = (~torch.isin(prompts.ids[:, 0], known)).nonzero().flatten().tolist()
    if not wrong:
        return
    _TOLD.add(tokenizer)
    ids = prompts.ids[wrong[0], : int(prompts.lengths[wrong[0]])].tolist()
    text = _spelled(tokenizer, ids)
    word = next(iter(text.split()), text)
    if word in codes:  # of which other words' pieces were made
        word = _spelled(tokenizer, ids[:1])
    close = nearest(word, codes)
    warnings.warn(
        f"a prompt begins with {shown(word)}, which is no control code; each text that this model learned from began "
        "with one: "
        + ("" if close is None else f"did you mean {close!r}? ")
        + f"tokenizer.control_codes has all {len(codes)}",
        stacklevel=stacklevel,
    )


def _spelled(tokenizer: TextDecoder, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
