"""Kernels for pixels as numba compiles them. Imports numba; see `core.jit`."""
