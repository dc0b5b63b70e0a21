"""Judge a model of `train` on a split of a dataset: shares right, calibration, confusions.

Another dataset may be given than that of the training: classes are found by their names. Images
that were trained on are refused.
"""
