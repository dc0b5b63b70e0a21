"""The splits of a dataset and their shares."""

TRAIN_SHARE, VAL_SHARE = 0.7, 0.1

SPLITS = ("train", "val", "test")
