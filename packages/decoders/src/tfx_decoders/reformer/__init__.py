"""Reformer (Kitaev et al. 2020)."""
