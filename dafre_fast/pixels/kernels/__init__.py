"""Kernels that numba compiles: resampling, the SIMD instructions it uses, and GIF's codes."""
