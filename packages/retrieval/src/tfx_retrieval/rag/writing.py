"""Generation by all documents of a question: RAG-token's at every token, RAG-sequence's of whole texts."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation import OPTION_NAMES, GenerationConfig, GenerationOptions, GenerationOutput, check_used
from tfx_core.generation import generate as decode_by_step
from tfx_core.model.heads import IGNORED
from tfx_retrieval.rag.documents import Documents
from tfx_retrieval.rag.heads import RagSequenceHead
from tfx_retrieval.rag.marginal import (
    document_log_probs,
    next_targets,
    text_log_probs,
    token_log_probs,
    without_first,
)

Text = tuple[int, ...]
"""Tokens, from the decoder's first one to the end token."""

SPECIAL_TOKENS = ("bos_token_id", "pad_token_id", "eos_token_id", "decoder_start_token_id")
_OF_DOCUMENTS = (
    *("input_ids", "attention_mask", "context_input_ids", "context_attention_mask", "doc_scores", "n_docs"),
    *("retrieved_doc_embeds", "retrieved_doc_input_ids", "retrieved_doc_attention_mask", "encoder_outputs"),
)


def generate(
    model: Any, *, fast_decoding: bool = False, do_deduplication: bool | None = None, **given: Any
) -> GenerationOutput | Tensor:
    """Write a text for each question, by the documents that are given as for a call of the model.

    RAG-token decodes by the probability of each token by all documents, as any model does. RAG-sequence has candidates
    decoded from each document by itself, ``num_beams`` of each, and ranks them by their probability by all documents;
    ``fast_decoding`` takes that to be 0 by a document whose own candidates do not have the text (Lewis et al. 2020,
    §2.5), which is fewer texts to score. ``sequences_scores`` are the logarithms of these probabilities, without the
    label smoothing by which the reference ranks where a config has it.
    """
    documents, rest = _read(model, given)
    if isinstance(model.language_head, RagSequenceHead):
        unique = model.config.do_deduplication if do_deduplication is None else do_deduplication
        return WholeTexts(model, documents, rest, fast=fast_decoding, unique=unique).output()
    for name, value in (("fast_decoding", fast_decoding or None), ("do_deduplication", do_deduplication)):
        if value is not None:
            raise InputError(f"{name}={value}: is for whole texts; load the model with head='rag-sequence'")
    _check_by_token(model, rest)
    of_model = {"scores": "doc_scores", "input_ids": "context_input_ids", "attention_mask": "context_attention_mask"}
    sources = {of_model.get(name, name): value for name, value in documents.sources.items()}
    return decode_by_step(model, doc_scores=documents.scores, **sources, **rest)


def _check_by_token(model: Any, given: Mapping[str, Any]) -> None:
    """Raise `InputError` for options that look for what is written in the one source of a text."""
    asked = {name: value for name, value in given.items() if name in OPTION_NAMES}
    options, _ = _options(model, given.get("use_model_defaults"), given.get("generation_config"), asked)
    for name, off in (("encoder_no_repeat_ngram_size", 0), ("encoder_repetition_penalty", 1.0)):
        if getattr(options, name) != off:
            raise InputError(f"{name}: a text has several sources here; leave it out, or load head='rag-sequence'")


def _read(model: Any, given: Mapping[str, Any]) -> tuple[Documents, dict[str, Any]]:
    """The documents of a call, and what it says besides. Without a mask, padding is told by its token."""
    inputs = {name: given[name] for name in _OF_DOCUMENTS if given.get(name) is not None}
    inputs |= {"attention": given.get("attention") or model.attention}
    model.check_types(inputs)
    ids, pad = inputs.get("context_input_ids"), model.config.generator.pad_token_id
    if ids is not None and pad is not None:
        inputs.setdefault("context_attention_mask", (ids != pad).long())
    with torch.no_grad():
        documents, _ = model.backbone.documents(**inputs)
    return documents, {name: value for name, value in given.items() if name not in _OF_DOCUMENTS}


class WholeTexts:
    """RAG-sequence's decoding for the questions of one call, which asks for it with the ``arguments``."""

    def __init__(
        self, model: Any, documents: Documents, arguments: Mapping[str, Any], *, fast: bool, unique: bool
    ) -> None:
        asked = {name: value for name, value in arguments.items() if name in OPTION_NAMES}
        self.others = {name: value for name, value in arguments.items() if name not in asked}
        check_used({name: x for name, x in self.others.items() if name in model.input_names}, {"attention"})
        defaults, config = (self.others.pop(name, None) for name in ("use_model_defaults", "generation_config"))
        self.options, self.wanted = _options(model, defaults, config, asked)
        self.generator = model.backbone.generator
        self.documents, self.fast, self.unique = documents, fast, unique
        self.log_probs: list[list[float]] = document_log_probs(documents.scores).tolist()
        self.first_token = model.head.first_token
        self._check()

    def _check(self) -> None:
        options, candidates = self.options, self.options.num_beams * self.documents.count
        if self.wanted > candidates:
            raise InputError(
                f"num_return_sequences={self.wanted}: {candidates} candidates of a question, "
                "num_beams of each document; ask for fewer, or set num_beams"
            )
        if options.seeds is not None and len(options.seeds) != len(self.documents.scores):
            raise InputError(f"seeds: {len(options.seeds)} given, for {len(self.documents.scores)} questions")
        for name in ("output_scores", "output_logits"):
            if getattr(options, name):
                raise InputError(f"{name}: whole texts are ranked by all documents, not single tokens; leave it out")
        if self.others.get("streamer") is not None:
            raise InputError("streaming with RAG-sequence: texts are only known at the end; load head='rag-token'")

    @torch.no_grad()
    def output(self) -> GenerationOutput | Tensor:
        """The best texts of each question."""
        encoder = {name: x for name, x in self.documents.sources.items() if name != "encoder_outputs"}
        encoded = self.documents.sources.get("encoder_outputs")
        if encoded is None:
            encoded = self.generator.get_encoder()(**encoder, attention=self._attention)
        written = self._written({**encoder, "encoder_outputs": encoded})
        pairs = [
            _Pair(question, document, text)
            for question, texts in enumerate(written)
            for text, found in texts.items()
            for document in (sorted(set(found)) if self.fast else range(self.documents.count))
            if self.log_probs[question][document] > float("-inf")
        ]
        ranked = self._ranked(written, pairs, self._log_probs(pairs, encoded))
        sequences = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(text, device=self._device) for text, _ in ranked], batch_first=True, padding_value=self._pad
        )
        scores = torch.tensor([score for _, score in ranked], device=self._device)
        output = GenerationOutput(sequences=sequences, sequences_scores=scores)
        return output if self.options.return_dict_in_generate else sequences

    def _written(self, sources: Mapping[str, Any]) -> "list[dict[Text, list[int]]]":
        """What is decoded from each document by itself: of each question text -> the documents, one by one."""
        count, beams, start = self.documents.count, self.options.num_beams, self.options.start_ids
        options = self.options.updated(
            return_dict_in_generate=False,
            seeds=None if self.options.seeds is None else _each(self.options.seeds, count),
            decoder_start_token_id=start if len(start) == 1 else _each(start, count) or None,
        )
        sequences = self.generator.generate(
            **sources, **self.others, generation_config=options, use_model_defaults=False
        )
        written: list[dict[Text, list[int]]] = [{} for _ in range(len(self.documents.scores))]
        for row, tokens in enumerate(sequences.tolist()):
            question, document = divmod(row // beams, count)
            text = self._ended(tokens)
            if len(text) > 1 and self.log_probs[question][document] > float("-inf"):  # what stands for none is empty
                written[question].setdefault(text, []).append(document)
        return written

    def _ended(self, tokens: list[int]) -> Text:
        """A text without its padding: up to the first end token that is written, or the last that is no padding."""
        ends = [place for place, token in enumerate(tokens) if place and token in self.options.eos_ids]
        last = ends[0] if ends else max(place for place, token in enumerate(tokens) if not place or token != self._pad)
        return tuple(tokens[: last + 1])

    def _log_probs(self, pairs: "Sequence[_Pair]", encoded: Any) -> Tensor:
        """Log p(text | question, document) of each pair, as many at once as there were candidates."""
        size = self.documents.scores.numel() * self.options.num_beams
        batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
        states = encoded[0] if isinstance(encoded, tuple | list) else getattr(encoded, "last_hidden_state", encoded)
        return torch.cat([states.new_zeros(0), *(self._of_batch(batch, states) for batch in batches)])

    def _of_batch(self, pairs: "Sequence[_Pair]", states: Tensor) -> Tensor:
        texts = [torch.tensor(pair.text, device=self._device) for pair in pairs]
        labels = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=IGNORED)
        rows = [pair.question * self.documents.count + pair.document for pair in pairs]
        mask = self.documents.sources.get("attention_mask")
        logits = self.generator(
            encoder_outputs=states[rows],
            attention_mask=None if mask is None else mask[rows],
            decoder_input_ids=labels.clamp(min=0),
            attention=self._attention,
        ).logits
        targets = without_first(next_targets(labels, None, None), self.first_token)
        return text_log_probs(token_log_probs(logits, 1)[:, 0], targets)

    def _ranked(
        self, written: "Sequence[Mapping[Text, list[int]]]", pairs: "Sequence[_Pair]", found: Tensor
    ) -> list[tuple[Text, float]]:
        """The texts asked for, the most probable by all documents first, with their log-probabilities."""
        terms: dict[tuple[int, Text], list[float]] = {}
        for pair, log_prob in zip(pairs, found.tolist(), strict=True):
            total = log_prob + self.log_probs[pair.question][pair.document]
            terms.setdefault((pair.question, pair.text), []).append(total)
        ranked = []
        for question, texts in enumerate(written):
            copies = [(text, 1 if self.unique else len(documents)) for text, documents in texts.items()]
            scored = [(text, _log_sum(terms[question, text])) for text, times in copies for _ in range(times)]
            ranked += self._best(question, sorted(scored, key=lambda each: -each[1]))
        return ranked

    def _best(self, question: int, scored: list[tuple[Text, float]]) -> list[tuple[Text, float]]:
        """The first of them; where there are fewer, empty ones of the score minus infinity, with a warning."""
        wanted = self.wanted
        if len(scored) < wanted:
            warnings.warn(
                f"row {question}: there are only {len(scored)} texts, where {wanted} are asked for; empty ones stand "
                "for the others",
                stacklevel=2,
            )
        nothing: tuple[Text, float] = ((*self.options.start_ids, self._pad)[:1], float("-inf"))
        return [*scored[:wanted], *[nothing] * (wanted - len(scored))]

    @property
    def _attention(self) -> Any:
        return self.others.get("attention") or self.generator.attention

    @property
    def _device(self) -> torch.device:
        return self.documents.scores.device

    @property
    def _pad(self) -> int:
        pad = self.options.pad_token_id
        return (*self.options.eos_ids, 0)[0] if pad is None else pad


@dataclass(frozen=True)
class _Pair:
    """A text and a document by which it is scored."""

    question: int
    document: int
    text: Text


def _options(
    model: Any, use_model_defaults: object, generation_config: object, asked: Mapping[str, Any]
) -> tuple[GenerationOptions, int]:
    """What is asked for over what the caller's config says over the checkpoint's own, with as many texts as beams.

    Of the checkpoint's, its special tokens alone where its defaults are not to be used. How many texts of a question
    are asked for is the second.
    """
    stored: GenerationOptions = model.generation_options
    if use_model_defaults is False:
        stored = GenerationOptions(**{name: getattr(stored, name) for name in SPECIAL_TOKENS})
    merged = GenerationConfig.of(stored)
    merged.update(**GenerationConfig.of(generation_config).set_values())
    merged.update(**asked)
    wanted: int = merged.num_return_sequences
    merged.update(num_return_sequences=merged.num_beams)
    return merged.options(), wanted


def _each(values: Sequence[int], count: int) -> tuple[int, ...]:
    """What is said for each question, for each of its documents."""
    return tuple(value for value in values for _ in range(count))


def _log_sum(terms: Sequence[float]) -> float:
    return float(torch.tensor(terms, dtype=torch.float64).logsumexp(0))
