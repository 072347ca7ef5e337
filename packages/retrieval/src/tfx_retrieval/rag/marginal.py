"""The probability of a text by all documents of its question (Lewis et al. 2020, §2.1), and the losses of it.

``B`` questions, ``n`` documents of each, ``T`` tokens, ``V`` vocabulary. Targets ``(B, T)`` are `IGNORED` where there
is nothing to predict.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from tfx_core.model.heads import IGNORED
from tfx_core.nn import at_least_float32


def token_log_probs(logits: Tensor, documents: int) -> Tensor:
    """Log p(token | question, document) ``(B, n, T, V)`` of logits ``(B·n, T, V)``."""
    log_probs = at_least_float32(logits).log_softmax(-1)  # (B·n, T, V)
    return log_probs.view(-1, documents, *log_probs.shape[1:])


def document_log_probs(scores: Tensor) -> Tensor:
    """Log p(document | question) ``(B, n)``."""
    return at_least_float32(scores).log_softmax(1)


def marginalised(logits: Tensor, scores: Tensor) -> Tensor:
    """Log p(token | question) ``(B, T, V)``: RAG-token takes the sum over documents at every token."""
    tokens = token_log_probs(logits, scores.shape[1])  # (B, n, T, V)
    return (tokens + document_log_probs(scores)[..., None, None]).logsumexp(1)


def next_targets(labels: Tensor, pad: int | None, mask: Tensor | None) -> Tensor:
    """What each place of the decoder's input, which is ``labels`` ``(B, T)`` itself, is to predict: the next token.

    Nothing after the end, and nothing in padding: the token ``pad``, `IGNORED`, or where the ``mask`` ``(B, T)`` is 0.
    """
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORED)
    if pad is not None:
        targets = targets.masked_fill(targets == pad, IGNORED)
    if mask is None:
        return targets
    both = F.pad((mask[:, 1:] != 0) & (mask[:, :-1] != 0), (0, 1))
    return targets.masked_fill(~both, IGNORED)


def rag_token_loss(logits: Tensor, scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Minus log p(text | question) ``(B,)`` of logits ``(B·n, T, V)``, with label smoothing."""
    tokens = marginalised(logits, scores)
    found = text_log_probs(tokens, targets)
    return _smoothed(found, lambda: _of_all(tokens, targets).sum(-1), smoothing, tokens.shape[-1])


def rag_sequence_loss(
    logits: Tensor, scores: Tensor, targets: Tensor, smoothing: float, *, without: int | None = None
) -> Tensor:
    """The same where all tokens of a text are from one document, and the sum over documents is that of whole texts.

    A first token ``without`` is not counted. The document's probability counts once; in the reference it is added to
    the second token, and so lost with a text that has no second one.
    """
    tokens = token_log_probs(logits, scores.shape[1])
    documents = document_log_probs(scores)
    found = text_log_probs(tokens, without_first(targets, without)[:, None]) + documents  # (B, n)
    vocabulary = tokens.shape[-1]
    return _smoothed(
        found.logsumexp(1),
        lambda: (_of_all(tokens, targets[:, None]).sum(-1) + vocabulary * documents).logsumexp(1),
        smoothing,
        vocabulary,
    )


def without_first(targets: Tensor, token: int | None) -> Tensor:
    """The targets ``(B, T)``, where a row begins with this token without it."""
    counted = targets != IGNORED
    first = counted & (counted.cumsum(1) == 1)
    return targets if token is None else targets.masked_fill(first & (targets == token), IGNORED)


def text_log_probs(tokens: Tensor, targets: Tensor) -> Tensor:
    """Sums ``(…)`` of the log-probabilities of the targets ``(…, T)`` among those of all tokens ``(…, T, V)``."""
    places = targets.clamp(min=0).expand(tokens.shape[:-1])[..., None]
    return tokens.gather(-1, places).squeeze(-1).masked_fill(targets == IGNORED, 0.0).sum(-1)


def _of_all(log_probs: Tensor, targets: Tensor) -> Tensor:
    """The sum over all tokens ``(…, T)``, 0 where there is no target."""
    return log_probs.sum(-1).masked_fill(targets == IGNORED, 0.0)


def _smoothed(found: Tensor, of_all: Callable[[], Tensor], smoothing: float, vocabulary: int) -> Tensor:
    """Of log-probabilities ``(B,)`` of texts the loss, a share of it from the sum over the vocabulary."""
    if not smoothing:
        return -found
    return -(1 - smoothing) * found - smoothing / vocabulary * of_all()
