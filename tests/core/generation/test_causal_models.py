"""Who writes must not see what follows; whose fault it is where a model does is said."""

import pytest
import torch

import tfx_core
from tfx_core.errors import InputError
from tfx_testing.toys import toys


@pytest.mark.parametrize(
    ("is_decoder", "said"),
    [
        (False, "is_decoder=false: .* load the model with is_decoder=True, or, where that changes nothing, the author"),
        (True, "is_decoder=true: .* does not read the key: the author of 'toy-decoder' has to .* causal=True"),
    ],
)
def test_a_model_that_sees_what_follows_does_not_write(is_decoder: bool, said: str) -> None:
    with toys():
        model = tfx_core.new_model("toy-decoder", head="causal-lm", seed=0, causal=False, is_decoder=is_decoder).eval()
        with pytest.raises(InputError, match=said):
            model.generate(torch.tensor([[5, 6]]), max_new_tokens=1)
