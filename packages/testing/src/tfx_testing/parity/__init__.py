"""An architecture beside the class of another library that computes the same."""

from tfx_testing.parity.checks import ParityChecks

__all__ = ["ParityChecks"]
