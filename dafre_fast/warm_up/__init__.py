"""Compile what this machine lacks, so that no other command has to wait for it.

Commands compile their kernels when they first need them, once after an installation; this compiles
those of all commands, on all cores.
"""
