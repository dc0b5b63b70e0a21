"""Kernels that numba compiles: bytes of tables become columns."""
