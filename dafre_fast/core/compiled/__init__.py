"""The parts that compiled kernels of all rooms share. Imports numba."""
