"""Train a recogniser of characters on a dataset: ResNet-18 with ArcFace.

The model, its metrics, curves and a card go to --into. The same command goes on after an
interruption, with the same result. A small dataset gets small batches, and one of fewer than 750
training images fewer epochs. `torchrun --nproc-per-node N -m dafre_fast.train …` trains with N
processes.
"""
