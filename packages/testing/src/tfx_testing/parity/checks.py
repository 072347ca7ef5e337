"""Checks of every variant and head beside a reference, in both directions."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.cases import ArchitectureCase, Inputs
from tfx_testing.parity.case import Case, cases_of, config_of
from tfx_testing.parity.comparing import (
    as_the_reference_names_them,
    compare,
    faults,
    flat,
    gradient,
    on_real_tokens,
    scalar,
    takes,
    uncached,
)
from tfx_testing.parity.reference import read_reference, reference_model, save_reference


@dataclass(frozen=True)
class Pair:
    """The reference's model of a case, and ours, read from what that was saved to."""

    case: Case
    reference: Any
    model: Model

    def inputs(self, **options: Any) -> Inputs:
        """Those of the case that the reference takes."""
        return {name: value for name, value in self.case.inputs(**options).items() if takes(self.reference, name)}

    def reports(self, *names: str) -> dict[str, bool]:
        """Switches of these names that both take, on."""
        known = (name for name in names if name in self.model.input_names and takes(self.reference, name))
        return dict.fromkeys(known, True)


class ParityChecks(CaseChecks):
    """Every variant of an architecture, with each of its heads, gives the numbers of a reference.

    The reference's tiny models have random weights with every parameter perturbed; they are saved, loaded here,
    compared, written back, and read again by the reference. It is a class of another library, of the name that
    `ArchitectureSpec.hf_classes` has for the head, in ``case.reference_module``; or what ``case.reference`` builds.

    >>> class TestParity(ParityChecks):
    ...     case = ArchitectureCase("llama", tiny={…}, variants=(Variant("tiny"), Variant("tied", {…})))
    """

    _latest: ClassVar[Pair | None] = None

    @classmethod
    def is_declared(cls) -> bool:
        """With a case; raises `LookupError` where there is no reference, with the cure."""
        if not super().is_declared():
            return False
        find_reference(cls.case)
        found = list(cases_of(cls.case))
        if not found:
            raise LookupError(
                f"{cls.__name__}: none of the heads of {cls.case.model_type!r} has a class to be compared with: name "
                "one in the hf_classes of its ArchitectureSpec, or in heads_of_reference of a Variant"
            )
        # class by class, then case by case, so that the models of a case are made once
        pytest.mark.parametrize("compared", found, ids=str, scope="class")(cls)
        return True

    @pytest.fixture
    def pair(self, compared: Case, tmp_path_factory: pytest.TempPathFactory) -> Pair:
        """The models of a case."""
        return self._made(compared, tmp_path_factory)

    def _made(self, compared: Case, tmp_path_factory: pytest.TempPathFactory) -> Pair:
        """The same, made once for all checks of a case, which run one after the other."""
        cls = type(self)
        if cls._latest is None or cls._latest.case is not compared:
            folder = tmp_path_factory.mktemp("reference")
            reference = reference_model(compared)
            save_reference(reference, compared, folder)
            cls._latest = Pair(compared, reference, tfx_core.load_model(folder))
        return cls._latest

    def test_the_stored_head_is_the_one_that_is_loaded(
        self, compared: Case, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """A folder of the reference is loaded, all its tensors, with the head that its class stands for.

        Where it is not: a rule of the weights' names is missing, or ``hf_classes`` of the spec names the class for
        another head. A tensor that is not wanted is named by a `tfx_core.checkpoint.Drop`.
        """
        pair = self._made(compared, tmp_path_factory)
        assert pair.model.head_name == compared.head
        assert pair.model.num_parameters() > 0

    def test_outputs_and_loss(self, compared: Case, pair: Pair) -> None:
        """Outputs, states, attention weights and the loss of a batch are the reference's, in its order.

        Where they are not, the first that differs in ``hidden_states`` is of the layer to look at; the first of all are
        the embeddings.
        """
        inputs, wanted = pair.inputs(), pair.reports("output_hidden_states", "output_attentions")
        with torch.no_grad():
            theirs = pair.reference(**inputs, **wanted, **uncached(pair.reference))
            ours = pair.model(**inputs, **wanted)
        agree_on_names(compared, ours, theirs)
        mine = dict(flat(ours))
        for name, value in flat(theirs):
            compare(name, mine[name], value)

    def test_outputs_on_real_tokens_of_a_padded_batch(self, compared: Case, pair: Pair) -> None:
        """So are those of a padded batch, but for what they are on padding.

        Where they are not, though the check before holds: the mask reaches another place than it does there, or
        positions are counted in another way.
        """
        inputs, wanted = pair.inputs(padded=True, labels=False), pair.reports("output_hidden_states")
        mask = inputs.get("attention_mask", torch.ones(1, 1)).bool()
        with torch.no_grad():
            theirs = pair.reference(**inputs, **wanted, **uncached(pair.reference))
            ours = pair.model(**inputs, **wanted)
        agree_on_names(compared, ours, theirs)
        mine = dict(flat(ours))
        for name, value in flat(theirs):
            compare(name, *on_real_tokens(mine[name], value, mask))

    def test_gradients(self, compared: Case, pair: Pair) -> None:
        """The gradient of every parameter is the reference's, and every tensor of the reference has one here.

        Where it is not: a parameter is tied here and not there, or a rule of the weights' names misplaces it in a way
        that the other checks do not see.
        """
        inputs, reference, model = pair.inputs(), pair.reference, pair.model
        reference.zero_grad()
        model.zero_grad()
        theirs, ours = reference(**inputs, **uncached(reference)), model(**inputs)
        for output in (theirs, {name: value for name, value in ours.items() if name in theirs}):
            torch.autograd.backward(scalar(output))
        exported = as_the_reference_names_them(
            model, {name: gradient(parameter) for name, parameter in model.named_parameters(remove_duplicate=False)}
        )
        for name, parameter in reference.named_parameters():
            assert name in exported, f"{name} has no counterpart"
            compare(f"the gradient of {name}", exported[name], gradient(parameter))

    def test_the_folder_written_back_is_the_reference_model(self, compared: Case, pair: Pair, tmp_path: Path) -> None:
        """What is saved here the reference reads without a complaint, and has the tensors that it had.

        Where it does not: a rule of the weights' names cannot be reversed, or drops a tensor that the reference wants.
        """
        pair.model.save_pretrained(tmp_path)
        again, report = read_reference(compared, tmp_path)
        assert not faults(again, report)
        before = pair.reference.state_dict()
        for name, tensor in again.state_dict().items():
            assert torch.equal(tensor, before[name]), name

    def test_a_model_made_here_is_read_by_the_reference(self, compared: Case, tmp_path: Path) -> None:
        """A new model of ours, saved, is read by the reference, and gives there what it gives here.

        Where it is not: a default of the config is another one than the reference's, so that a key which is not
        written means something else there.
        """
        config = {key: value for key, value in config_of(compared).to_dict().items() if key in compared.config}
        made = tfx_core.new_model(compared.model_type, head=compared.head, seed=3, **config).eval()
        made.save_pretrained(tmp_path)
        theirs, report = read_reference(compared, tmp_path)
        assert not faults(theirs, report)
        inputs = {name: value for name, value in compared.inputs(labels=False).items() if takes(theirs, name)}
        with torch.no_grad():
            ours = dict(flat(made(**inputs)))
            for name, value in flat(theirs(**inputs, **uncached(theirs))):
                compare(name, ours[name], value)


def find_reference(case: ArchitectureCase) -> None:
    """Raise `LookupError` where the library is not installed that has the reference's classes."""
    module = case.reference_module
    if case.reference is None and find_spec(module.partition(".")[0]) is None:
        package = module.partition(".")[0].replace("_", "-")
        raise LookupError(
            f"{case.model_type!r} is compared with classes of {module!r}, which is not installed: "
            f"python -m pip install {package}"
        )
    if case.reference is None:
        import_module(module)


def agree_on_names(case: Case, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Fail unless there are the same outputs in the same order; a module of the author's own may have fewer."""
    names = list(ours) if case.architecture.reference is None else [name for name in ours if name in theirs]
    assert names == list(theirs), f"outputs here are {', '.join(ours)}; the reference's are {', '.join(theirs)}"
