"""Kernels for tables as numba compiles them. Imports numba; see `core.jit`."""
