"""Tiny random models of the reference library, and a `DecodingState` over them that keeps no cache at all.

Every step reads all tokens again, so what is compared is the engine, not a cache.
"""

from typing import Any

import torch
import transformers
from torch import Tensor

from tfx_core.generation import GenerationOptions, GenerationOutput, Prompts, decode

VOCABULARY = 23
PAD, BOS, EOS = 0, 1, 2


def causal_model(seed: int) -> Any:
    """A random GPT-2 whose predictions differ a good deal from token to token."""
    settings = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD,
    )  # fmt: skip
    return perturbed(transformers.GPT2LMHeadModel, settings, seed)


def bart_model(seed: int) -> Any:
    """A random BART without the forced tokens that its config asks for by default."""
    settings = transformers.BartConfig(
        vocab_size=VOCABULARY, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, dropout=0.0,
        attention_dropout=0.0, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=EOS,
        forced_eos_token_id=None,
    )  # fmt: skip
    return perturbed(transformers.BartForConditionalGeneration, settings, seed)


def t5_model(seed: int) -> Any:
    """A random T5."""
    settings = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, dropout_rate=0.0,
        pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=PAD,
    )  # fmt: skip
    return perturbed(transformers.T5ForConditionalGeneration, settings, seed)


def perturbed(cls: Any, settings: Any, seed: int) -> Any:
    """A model with every parameter perturbed, norms and biases included."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = cls(settings)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                # positions must matter, or the models only repeat themselves
                parameter.add_(torch.randn_like(parameter) * (1.0 if "wpe" in name or "positions" in name else 0.3))
    model.generation_config.forced_eos_token_id = None
    return model.eval()


def prompts(seed: int, rows: int, length: int = 6) -> Tensor:
    """Token ids ``(rows, length)`` without special ones."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return torch.randint(3, VOCABULARY, (rows, length), generator=generator)


def ragged(seed: int, rows: int, length: int = 6, side: str = "left") -> tuple[Tensor, Tensor]:
    """Prompts of different lengths with padding on one side, and their mask."""
    ids, mask = prompts(seed, rows, length), torch.ones(rows, length, dtype=torch.long)
    for row in range(rows):
        missing = (row * 2 + seed) % (length - 1)
        columns = slice(0, missing) if side == "left" else slice(length - missing, length)
        ids[row, columns], mask[row, columns] = PAD, 0
    return ids, mask


class CausalReference:
    """A decoder of the reference library as a state with every capability."""

    def __init__(self, model: Any, ids: Tensor, mask: Tensor | None = None) -> None:
        mask = torch.ones_like(ids) if mask is None else mask
        self.model = model
        self.sources = len(ids)
        self.texts = [row[real.bool()].tolist() for row, real in zip(ids, mask, strict=True)]
        self.taken = 0

    def prefill(self) -> Tensor:
        return self.last()[0]

    def prefill_with_hidden(self) -> tuple[Tensor, Tensor, Tensor]:
        logits, hidden, mask = self.run(list(range(len(self.texts))))
        return logits[:, -1], hidden, mask

    def step(self, ids: Tensor) -> Tensor:
        return self.step_with_hidden(ids)[0]

    def step_with_hidden(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        for text, token in zip(self.texts, ids.tolist(), strict=True):
            text.append(token)
        return self.last()

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        logits = torch.zeros(*ids.shape, VOCABULARY)
        self.taken = ids.shape[1]
        self.given = lengths.tolist()
        for row, text in enumerate(self.texts):
            count = self.given[row]
            text.extend(ids[row, :count].tolist())
            logits[row, :count] = self.run([row])[0][0, -count:]
        return logits

    def keep(self, counts: Tensor) -> None:
        for text, given, count in zip(self.texts, self.given, counts.tolist(), strict=True):
            assert 1 <= count <= given
            del text[len(text) - given + count :]

    def expand(self, copies: int) -> None:
        self.texts = [list(text) for text in self.texts for _ in range(copies)]

    def reorder(self, rows: Tensor) -> None:
        copies = len(self.texts) // self.sources
        for place, row in enumerate(rows.tolist()):
            assert row // copies == place // (len(rows) // self.sources), "a row left its source"
        self.texts = [list(self.texts[row]) for row in rows.tolist()]

    def select(self, sources: Tensor) -> None:
        copies = len(self.texts) // self.sources
        self.texts = [self.texts[source * copies + copy] for source in sources.tolist() for copy in range(copies)]
        self.sources = len(sources)

    def last(self) -> tuple[Tensor, Tensor]:
        logits, hidden, _ = self.run(list(range(len(self.texts))))
        return logits[:, -1].clone(), hidden[:, -1]

    def run(self, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, last states and mask of all tokens of these rows, padded on the left."""
        width = max(len(self.texts[row]) for row in rows)
        ids = torch.full((len(rows), width), PAD)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, width - len(self.texts[row]) :] = torch.tensor(self.texts[row])
            mask[place, width - len(self.texts[row]) :] = 1
        return self.forward(ids, mask, rows)

    def forward(self, ids: Tensor, mask: Tensor, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        output = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, output_hidden_states=True, use_cache=False
        )
        return output.logits.float(), output.hidden_states[-1], mask.bool()


class EncoderDecoderReference(CausalReference):
    """The same of a model with an encoder, which is run once."""

    def __init__(self, model: Any, source: Tensor, mask: Tensor, start: Tensor) -> None:
        super().__init__(model, start)
        self.mask = mask.long()
        self.encoded = model.get_encoder()(input_ids=source, attention_mask=self.mask).last_hidden_state

    def select(self, sources: Tensor) -> None:
        super().select(sources)
        self.encoded, self.mask = self.encoded[sources], self.mask[sources]

    def forward(self, ids: Tensor, mask: Tensor, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        copies = len(self.texts) // self.sources
        owners = torch.tensor([row // copies for row in rows])
        output = self.model(
            encoder_outputs=(self.encoded[owners],), attention_mask=self.mask[owners], decoder_input_ids=ids,
            decoder_attention_mask=mask, output_hidden_states=True, use_cache=False,
        )  # fmt: skip
        return output.logits.float(), output.decoder_hidden_states[-1], mask.bool()


def ours(
    model: Any, ids: Tensor, mask: Tensor | None = None, arguments: dict[str, Any] | None = None, **options: Any
) -> GenerationOutput:
    """What our engine makes of the reference's model; ``arguments`` are those of `decode`."""
    given = GenerationOptions(**{"eos_token_id": EOS, "pad_token_id": PAD, **options})
    with torch.inference_mode():
        if not model.config.is_encoder_decoder:
            begin = Prompts.from_padded(ids, mask)
            return decode(CausalReference(model, ids, mask), begin, given, **(arguments or {}))
        start = torch.full((len(ids), 1), model.config.decoder_start_token_id)
        read = Prompts.from_padded(ids, mask)
        # the reference's encoders count positions from the first column: padding has to be on the right
        state = EncoderDecoderReference(model, read.ids, torch.arange(ids.shape[1]) < read.lengths[:, None], start)
        return decode(state, Prompts.from_padded(start, None), given, source=read, **(arguments or {}))


def theirs(model: Any, ids: Tensor, mask: Tensor | None = None, **options: Any) -> Any:
    """What the reference makes of it, with scores."""
    with torch.inference_mode():
        return model.generate(
            ids,
            attention_mask=torch.ones_like(ids) if mask is None else mask,
            **{
                "eos_token_id": EOS,
                "pad_token_id": PAD,
                "return_dict_in_generate": True,
                "output_scores": True,
                **options,
            },
        )


def texts(sequences: Tensor, prompt: int, ends: tuple[int, ...] = (EOS,)) -> list[list[int]]:
    """The new tokens of each text, up to and with its end token."""
    found = []
    for row in sequences[:, prompt:].tolist():
        end = next((place + 1 for place, token in enumerate(row) if token in ends), len(row))
        found.append(row[:end])
    return found


def prompt_length(model: Any, ids: Tensor) -> int:
    """How many tokens stand before the new ones."""
    return 1 if model.config.is_encoder_decoder else ids.shape[1]
