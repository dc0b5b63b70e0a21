"""What the decoders, the workers and the ledger must survive, and a command that tries it all:
`make torture`, or `python -m tests.torture FOLDER…`.
"""
