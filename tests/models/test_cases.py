"""The cases of our architectures: there is one of each, and it has the variants that comparing with others needs."""

import pytest

from tests.cases import case_of, readers_of_text
from tfx_core.model import load_architecture

ARCHITECTURES = [spec.name for spec in readers_of_text()]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_there_is_a_case_of_every_architecture(name: str) -> None:
    assert case_of(name).tiny
    assert case_of(name).variants


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_embeddings_that_have_a_width_of_their_own_are_compared_with_the_same_too(name: str) -> None:
    config, case = load_architecture(name).config, case_of(name)
    if "embedding_size" in config().field_names():
        made = [config.of(**{**case.tiny, **variant.changes}) for variant in case.variants]
        assert {each.embedding_size == each.hidden_size for each in made} == {True, False}


def test_an_architecture_without_a_case_is_told_by_name() -> None:
    with pytest.raises(LookupError, match=r"architecture 'new-one' is not tested: there is no tests/cases/new_one\.py"):
        case_of("new-one")
