"""Train a recogniser of characters and use it: networks, losses, schedules, augmentation, feeding,
checkpoints, metrics.

Needs PyTorch and safetensors (`pip install 'dafre_fast[train]'`), but for `recipes`, `records` and
`metrics`.
"""
