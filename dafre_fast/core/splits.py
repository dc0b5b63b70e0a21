"""The splits of a dataset and their shares."""

TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")

TRAIN_SHARE, VAL_SHARE = 0.7, 0.1
"""Shares of the images of each class; the rest is the test split."""
