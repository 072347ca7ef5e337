"""The conformance kit, of objectives on the toys that it brings."""

from typing import ClassVar

from tfx_testing import ObjectiveCase, ObjectiveChecks


class TestMaskedWords(ObjectiveChecks):
    objective = "masked-words"
    case: ClassVar = ObjectiveCase(rate=1e-2)


class TestCausal(ObjectiveChecks):
    objective = "causal"
    case: ClassVar = ObjectiveCase(rate=1e-2)
