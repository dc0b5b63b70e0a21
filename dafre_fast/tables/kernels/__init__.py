"""Kernels, compiled by numba, that turn bytes of tables into columns."""
