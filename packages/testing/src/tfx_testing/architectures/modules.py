"""A model is a well-behaved module: it learns with every parameter, and may be shared, copied, seeded and compiled."""

import pickle
from threading import Thread

import torch
from torch import Tensor

from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import CHOICE_HEADS
from tfx_testing.checks import each
from tfx_testing.comparing import all_close, equal
from tfx_testing.results import padded_texts, results_of_rows
from tfx_testing.tiny import new_model, parameters, plain_results, target_ids, tiny_model


class ModuleChecks(CaseChecks):
    """Gradients, dropout, seeds, threads, pickles, compilers."""

    @each(head=heads)
    def test_every_parameter_gets_a_gradient(self, head: str) -> None:
        """Every parameter that can learn has a part in the results of one call.

        Where it has not: a module is built that no forward calls (build `nn.Identity`, or leave the part to heads that
        name it), a result is detached, or the call needs an input that texts alone lack: `ArchitectureCase` takes it as
        ``optional_inputs``.
        """
        model = tiny_model(self.case, head).train()
        ids, mask = padded_texts(self.case, "right")
        if head in CHOICE_HEADS:
            ids, mask = ids[:, None], mask[:, None]
        inputs = {**target_ids(self.case, head, len(ids)), **self.case.optional_inputs(head, ids)}
        output = model(input_ids=ids, attention_mask=mask, **inputs)
        numbers = [value for value in output.values() if isinstance(value, Tensor) and value.requires_grad]
        assert numbers, f"none of the results {list(output)} depends on a parameter"
        torch.autograd.backward([value.square().sum() for value in numbers])
        without = [name for name, one in model.named_parameters() if one.requires_grad and one.grad is None]
        assert not without, f"without a gradient: {without}"

    @each(head=heads)
    def test_a_model_in_use_gives_the_same_each_time(self, head: str) -> None:
        """In evaluation nothing is drawn: two calls are equal to the last bit, with any dropout in the config, too.

        Where they are not: dropout is a function that is not told ``self.training``, or a call leaves something behind.
        """
        rates = dict.fromkeys(self._dropout_keys(), 0.5)
        for changes in ({}, rates) if rates else ({},):
            model = tiny_model(self.case, head, **changes)
            first, second = plain_results(self.case, model), plain_results(self.case, model)
            equal(second, first, f"two calls in evaluation, with {changes or 'no dropout'}")
        all_close(first, plain_results(self.case, tiny_model(self.case, head)), f"evaluation with and without {rates}")

    def test_every_rate_of_dropout_drops_in_training(self) -> None:
        """A rate, a key with ``drop`` in its name, changes what some head gives in training, and a seed repeats it.

        Where it does not: the key is read by nothing, or its module is built with another key's rate.
        """
        none: dict[str, object] = dict.fromkeys(self._dropout_keys(), 0.0)
        without: dict[str, dict[str, Tensor]] = {}
        for key in none:
            for head in heads(type(self)):
                if head not in without:
                    without[head] = self._trained(tiny_model(self.case, head, **none))
                model = tiny_model(self.case, head, **{**none, key: 0.5})
                found = self._trained(model)
                if any(not torch.equal(value, without[head][name]) for name, value in found.items()):
                    equal(self._trained(model), found, f"two calls with {key}=0.5 and one seed of torch")
                    break
            else:
                raise AssertionError(f"{key}=0.5 drops nothing with any head")

    def _trained(self, model: Model) -> dict[str, Tensor]:
        """What a call in training gives, with a seed of torch."""
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return plain_results(self.case, model.train())

    def _dropout_keys(self) -> list[str]:
        config = new_model(self.case).config
        return [key for key in config.field_names() if "drop" in key and isinstance(getattr(config, key), float)]

    @each(head=heads)
    def test_threads_share_a_model(self, head: str) -> None:
        """Calls of several threads at once give what one gives.

        Where they do not: a module keeps something of a call in ``self`` that another call reads.
        """
        model = tiny_model(self.case, head)
        ids, mask = padded_texts(self.case, "right")
        alone = results_of_rows(self.case, model, ids, mask)
        found: list[list[dict[str, Tensor]]] = []
        threads = [Thread(target=lambda: found.append(results_of_rows(self.case, model, ids, mask))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3, "a call failed in a thread"
        for rows in found:
            for number, (values, expected) in enumerate(zip(rows, alone, strict=True)):
                all_close(values, expected, f"text {number} of a call beside others", atol=1e-6)

    @each(head=heads)
    def test_a_pickled_model_is_the_same(self, head: str) -> None:
        """A model can be pickled, and gives the same after it.

        Where it cannot: it holds a function that has no name of its own (a lambda, or one made inside another); where
        it gives something else: a module computes in ``__init__`` what ``__setstate__`` would have to restore.
        """
        model = tiny_model(self.case, head)
        again = pickle.loads(pickle.dumps(model))
        assert again.architecture is model.architecture, "the architecture is a copy, not the installed one"
        texts = padded_texts(self.case, "left")
        before, after = (results_of_rows(self.case, each, *texts) for each in (model, again))
        for row, (values, expected) in enumerate(zip(after, before, strict=True)):
            equal(values, expected, f"text {row}, after the model was pickled")

    @each(head=heads)
    def test_a_seed_gives_the_same_weights_and_leaves_torchs_generator_alone(self, head: str) -> None:
        """Models of one seed are equal, of two seeds not, all is finite, and torch's generator is as before.

        Where not: ``initialise`` fills a parameter without the ``generator`` that it is given, or leaves one as memory
        was found.
        """
        before = torch.random.get_rng_state()
        one, same, other = (parameters(new_model(self.case, head, seed=seed)) for seed in (5, 5, 6))
        assert torch.equal(torch.random.get_rng_state(), before), "torch's own generator was used"
        equal(same, one, "two models of one seed")
        assert any(not torch.equal(other[name], value) for name, value in one.items()), "another seed changes nothing"
        strange = [name for name, value in one.items() if not value.isfinite().all()]
        assert not strange, f"not filled: {strange}"
