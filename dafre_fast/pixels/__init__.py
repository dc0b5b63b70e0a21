"""Bytes of originals become encoded outputs. Pure: no paths, no network, no processes.

The way of one original: `sniff` finds its format, a decoder of `decoders/` reads its header, `plan`
decides sizes and regions, the decoder and `kernels/` make pixels, `making` encodes them.
"""
