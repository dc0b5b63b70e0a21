"""Kernels of `audit` as numba compiles them. Imports numba; see `core.jit`."""
