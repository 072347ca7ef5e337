"""The names that a model's tensors have in files are those of the reference's own state dict, for every head."""

import pytest
import transformers

import tfx_core
from tests.cases import architectures, case_of
from tests.models.tiny import tiny_config
from tfx_core.model import load_architecture

CLASSES = [
    (spec.name, name, head)
    for spec in architectures()
    if case_of(spec.name).reference is None
    for name, head in spec.hf_classes.items()
    if name == load_architecture(spec.name).class_of(head)  # not an older name of it
]


@pytest.mark.parametrize(("model_type", "name", "head"), [each for each in CLASSES if hasattr(transformers, each[1])])
def test_names_and_values_of_a_state_dict(model_type: str, name: str, head: str) -> None:
    model = tfx_core.new_model(model_type, head=head, seed=1, **tiny_config(model_type))
    kind = getattr(transformers, name)
    reference = kind(kind.config_class.from_dict(model.stored_config().to_dict()))
    names = model.state_dict_for_files()
    assert names.keys() == reference.state_dict().keys()
    reference.load_state_dict(names)
    assert all((tensor == names[each]).all() for each, tensor in reference.state_dict().items())
