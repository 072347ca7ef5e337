"""An architecture beside the class of another library that computes the same."""
