"""Sums, maxima and gradients of the chain against all labellings, listed one by one."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from tfx_core import ModelOutput
from tfx_core.errors import InputError
from tfx_crf.head import CRFHead

LABELS, WIDTH = 3, 4
MASKS = {
    "whole": [[1, 1, 1, 1], [1, 1, 1, 1]],
    "right": [[1, 1, 1, 0], [1, 0, 0, 0]],
    "left": [[0, 1, 1, 1], [0, 0, 0, 1]],
    "within": [[1, 0, 1, 1], [0, 1, 0, 1]],
}


def head() -> CRFHead:
    generator = torch.Generator().manual_seed(1)
    made = CRFHead(torch.nn.Linear(WIDTH, LABELS))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


def states(mask: Tensor) -> ModelOutput:
    values = torch.randn(*mask.shape, WIDTH, generator=torch.Generator().manual_seed(2))
    return ModelOutput(last_hidden_state=values.requires_grad_(), token_mask=mask)


def listed(crf: CRFHead, values: Tensor, mask: Tensor) -> dict[tuple[int, ...], Tensor]:
    """Every labelling of one text, of its real tokens alone, and what it is worth."""
    scores = crf.emissions(values)[mask]
    found = {}
    for path in product(range(LABELS), repeat=len(scores)):
        worth = crf.start[path[0]] + crf.end[path[-1]] + sum(scores[at, label] for at, label in enumerate(path))
        found[path] = worth + sum(crf.transitions[one, next_] for one, next_ in pairwise(path))
    return found


def fits(path: tuple[int, ...], wanted: list[int]) -> bool:
    return all(known in (-100, label) for label, known in zip(path, wanted, strict=True))


def listed_loss(crf: CRFHead, values: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """Minus the log of the share of those labellings that have the labels which are known, by their number."""
    losses, count = [], 0
    for row, real, known in zip(values, mask, labels, strict=True):
        worth, wanted = listed(crf, row, real), known[real].tolist()
        fitting = [
            each for path, each in worth.items() if all(w in (-100, p) for p, w in zip(path, wanted, strict=True))
        ]
        losses.append(torch.stack([*worth.values()]).logsumexp(0) - torch.stack(fitting).logsumexp(0))
        count += sum(label != -100 for label in wanted)
    return torch.stack(losses).sum() / count


@pytest.mark.parametrize("unknown", [[], [(0, 2)], [(0, 0), (0, 2), (1, 3), (1, 0)]])
@pytest.mark.parametrize("padding", MASKS)
def test_the_loss_and_its_gradients_are_those_of_all_labellings(padding: str, unknown: list[tuple[int, int]]) -> None:
    crf, mask = head(), torch.tensor(MASKS[padding]).bool()
    given = states(mask)
    labels = torch.randint(LABELS, mask.shape, generator=torch.Generator().manual_seed(3))
    for row, place in unknown:
        labels[row, place] = -100
    tensors = [given.last_hidden_state, *crf.parameters()]
    loss, expected = crf(given, labels=labels).loss, listed_loss(crf, given.last_hidden_state, mask, labels)
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(torch.autograd.grad(loss, tensors), torch.autograd.grad(expected, tensors), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", MASKS)
def test_logits_are_scores_of_the_best_labellings(padding: str) -> None:
    crf, mask = head(), torch.tensor(MASKS[padding]).bool()
    given = states(mask)
    logits = crf(given).logits
    for row, real, values in zip(logits, mask, given.last_hidden_state, strict=True):
        worth = listed(crf, values, real)
        assert tuple(row[real].argmax(-1).tolist()) == max(worth, key=lambda path: worth[path].item())
        for at, label in product(range(int(real.sum())), range(LABELS)):
            best = max(each for path, each in worth.items() if path[at] == label)
            torch.testing.assert_close(row[real][at, label], best)
    assert not logits[~mask].any()


def test_labels_of_padding_do_not_count() -> None:
    crf, mask = head(), torch.tensor(MASKS["right"]).bool()
    labels = torch.zeros(mask.shape, dtype=torch.long)
    other = labels.masked_fill(~mask, 2)
    assert torch.equal(crf(states(mask), labels=labels).loss, crf(states(mask), labels=other).loss)


def test_a_batch_without_labels_is_a_loss_of_0_and_a_warning() -> None:
    crf, mask = head(), torch.tensor(MASKS["whole"]).bool()
    with pytest.warns(UserWarning, match="none counts"):
        loss = crf(states(mask), labels=torch.full(mask.shape, -100)).loss
    loss.backward()
    assert float(loss) == 0
    assert all(not parameter.grad.abs().gt(1e-6).any() for parameter in crf.parameters())


@pytest.mark.parametrize("wrong", [LABELS, -1])
def test_a_label_that_there_is_not_is_refused(wrong: int) -> None:
    crf, mask = head(), torch.tensor(MASKS["whole"]).bool()
    with pytest.raises(InputError, match="labels"):
        crf(states(mask), labels=torch.full(mask.shape, wrong))


def test_scores_of_long_texts_stay_finite() -> None:
    crf = head()
    with torch.no_grad():
        crf.transitions.mul_(100)
    mask = torch.ones(1, 300, dtype=torch.bool)
    output = crf(states(mask), labels=torch.zeros(1, 300, dtype=torch.long))
    assert output.loss.isfinite()
    assert output.logits.isfinite().all()
