"""Torture tests of the decoders, the workers and the ledger, and a command that runs them all:
`make torture`, or `python -m tests.torture FOLDER…`.
"""
