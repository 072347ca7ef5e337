"""XLM and FlauBERT write what the reference writes, token for token, in every strategy.

Those that the reference no longer has are carried out by our engine over the reference's model, which reads the whole
text and a mask behind it for each token.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

import tfx_core
from tests.models.tiny import random_ids, tiny_config
from tests.parity.generation_reference import CausalReference
from tfx_core.errors import InputError
from tfx_core.generation import GenerationOptions, Prompts, decode
from tfx_core.model.model import Model

VOCABULARY, PAD = 23, 2
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "standard": ("XLM", {}),
    "causal": ("XLM", {"causal": True, "lang_id": 2}),
    "causal, one language": ("XLM", {"causal": True, "n_langs": 1, "mask_token_id": 5}),
    "sinusoids": ("XLM", {"causal": True, "sinusoidal_embeddings": True, "lang_id": None}),
    "norms first": ("Flaubert", {"pre_norm": True, "mask_token_id": 7}),
    "causal, norms first": ("Flaubert", {"pre_norm": True, "causal": True}),
}


def models(folder: Path, case: str) -> tuple[Any, Model]:
    """The reference's model, its parameters perturbed so that its texts differ, and ours."""
    kind, changes = CONFIGS[case]
    config = {**tiny_config(kind.lower()), "vocab_size": VOCABULARY, "bos_token_id": None, **changes}
    with torch.random.fork_rng():
        torch.manual_seed(6)
        settings = getattr(transformers, f"{kind}Config")(**config)
        theirs = getattr(transformers, f"{kind}WithLMHeadModel")(settings)
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                # what tokens and positions say must outweigh the vector of the mask
                scale = 1.0 if "attentions" in name or "position" in name else 0.3
                parameter.add_(torch.randn_like(parameter) * scale)
    theirs.eval().save_pretrained(folder)
    return theirs, tfx_core.load_model(folder, head="causal-lm")


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    return models(tmp_path_factory.mktemp("xlm"), request.param)


def prompts(rows: int, length: int) -> Tensor:
    return random_ids("xlm", rows, length, seed=length) % (VOCABULARY - 5) + 5


def written(model: Any, ids: Tensor, **options: Any) -> Tensor:
    """The new tokens; never the padding token, which the reference takes for the end of what it reads."""
    with torch.no_grad():
        given = {"max_new_tokens": 14, "do_sample": False, "suppress_tokens": [PAD], **options}
        sequences: Tensor = model.generate(ids, **given)
    return sequences[:, ids.shape[1] :]


@pytest.mark.parametrize("length", [1, 2, 7])
def test_greedy(pair: tuple[Any, Model], length: int) -> None:
    theirs, ours = pair
    ids = prompts(3, length)
    expected = written(theirs, ids)
    assert len(expected.unique()) > 2, "a model that repeats itself shows nothing"
    assert torch.equal(written(ours, ids), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 3, "num_return_sequences": 2},
        {"num_beams": 4, "length_penalty": -1.0, "eos_token_id": 9, "pad_token_id": PAD},
        {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2, "eos_token_id": 9, "pad_token_id": PAD},
    ],
    ids=str,
)
def test_beams_and_processors(pair: tuple[Any, Model], options: dict[str, Any]) -> None:
    theirs, ours = pair
    ids = prompts(2, 5)
    assert torch.equal(written(ours, ids, **options), written(theirs, ids, **options))


def test_scores(pair: tuple[Any, Model]) -> None:
    theirs, ours = pair
    ids = prompts(2, 6)
    options = {"max_new_tokens": 6, "return_dict_in_generate": True, "output_logits": True, "do_sample": False}
    options["suppress_tokens"] = [PAD]
    with torch.no_grad():
        expected, mine = theirs.generate(ids, **options).logits, ours.generate(ids, **options).logits
    for step, logits in enumerate(expected):
        torch.testing.assert_close(mine[step], logits, rtol=1e-3, atol=1e-3)


def test_up_to_the_last_position(pair: tuple[Any, Model]) -> None:
    theirs, ours = pair
    ids = prompts(1, 34)
    assert torch.equal(written(ours, ids, max_new_tokens=6), written(theirs, ids, max_new_tokens=6))
    with pytest.raises(InputError, match=r"max_new_tokens=7 after a prompt of 34 tokens: .* a text of up to 40 tokens"):
        written(ours, ids, max_new_tokens=7)


class XLMReference(CausalReference):
    """The reference's model as a state: each prefix is read with a mask behind it."""

    every = False
    """Whether the logits after each token are asked for, not after the last one alone."""

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        self.every = True
        logits = super().extend(ids, lengths)
        self.every = False
        return logits

    def run(self, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        width = max(len(self.texts[row]) for row in rows)
        logits = torch.zeros(len(rows), width, VOCABULARY)
        hidden, real = torch.zeros(len(rows), width, 24), torch.zeros(len(rows), width, dtype=torch.bool)
        config = self.model.config
        for place, row in enumerate(rows):
            text = self.texts[row]
            for end in range(1 if self.every else len(text), len(text) + 1):
                ids = torch.tensor([[*text[:end], config.mask_token_id]])
                langs = None if config.lang_id is None else torch.full_like(ids, config.lang_id)
                output = self.model(ids, torch.ones_like(ids), langs=langs, output_hidden_states=True)
                logits[place, width - len(text) + end - 1] = output.logits[0, -1]
            hidden[place, width - len(text) :] = output.hidden_states[-1][0, :-1]
            real[place, width - len(text) :] = True
        return logits, hidden, real


SEARCHES: dict[str, dict[str, Any]] = {
    "sampled": {"do_sample": True, "top_k": 9, "seeds": [3, 4, 5]},
    "copies": {"do_sample": True, "top_p": 0.8, "seeds": [3, 4, 5], "num_return_sequences": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seeds": [3, 4, 5]},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7, "num_return_sequences": 3},
    "forced": {"num_beams": 6, "force_words_ids": [[6, 7]]},
    "lookup": {"prompt_lookup_num_tokens": 3},
    "contrastive": {"penalty_alpha": 0.5, "top_k": 4},
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", SEARCHES)
def test_other_strategies(pair: tuple[Any, Model], name: str, side: str) -> None:
    theirs, ours = pair
    ids, mask = prompts(3, 6), torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])
    mask = mask.flip(1) if side == "left" else mask
    ids = ids.masked_fill(mask == 0, PAD)
    options = {"max_new_tokens": 9, "eos_token_id": 9, "pad_token_id": PAD, "suppress_tokens": [PAD], **SEARCHES[name]}
    if name in ("lookup", "contrastive") and not ours.config.causal:
        with pytest.raises(InputError, match=r"take tokens back|hidden states"):
            ours.generate(ids, attention_mask=mask, **options)
        return
    with torch.inference_mode():
        begin = Prompts.from_padded(ids, mask)
        expected = decode(XLMReference(theirs, ids, mask), begin, GenerationOptions(**options))
    assert torch.equal(ours.generate(ids, attention_mask=mask, **options), expected.sequences)


@pytest.mark.parametrize("by", ["attention_mask", "lengths", "token"])
def test_a_call_that_tells_padding_in_another_way(pair: tuple[Any, Model], by: str) -> None:
    theirs, ours = pair
    lengths = torch.tensor([8, 3, 5])
    mask = torch.arange(8) < lengths[:, None]
    ids = prompts(3, 8).masked_fill(~mask, PAD if by == "token" else 6)
    told = {name: x for name, x in {"attention_mask": mask.long(), "lengths": lengths}.items() if name == by}
    with torch.no_grad():
        expected, mine = theirs(ids, **told).logits, ours(ids, **told).logits
    torch.testing.assert_close(mine[mask], expected[mask], rtol=1e-3, atol=1e-3)
