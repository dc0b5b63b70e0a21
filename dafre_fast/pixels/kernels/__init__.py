"""Kernels that numba compiles: resampling and the SIMD instructions it uses."""
