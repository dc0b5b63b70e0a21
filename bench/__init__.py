"""Benchmarks: side by side with what people use today, in one run, interleaved."""
