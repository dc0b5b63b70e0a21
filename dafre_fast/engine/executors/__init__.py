"""Executors: processes that run the work handed to them."""
