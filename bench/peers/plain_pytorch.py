"""The plain way to feed PyTorch: a folder per class, Pillow, and a transform for each picture.

It is torchvision's ImageFolder with Resize, RandomCrop, RandomHorizontalFlip, ToTensor and
Normalize, without torchvision.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

ROOM, SIDE = 160, 128


class ImageFolder(Dataset[tuple[Tensor, int]]):
    def __init__(self, folder: Path) -> None:
        classes = sorted(path for path in folder.iterdir())
        self.samples = [
            (path, number) for number, one in enumerate(classes) for path in sorted(one.iterdir())
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        path, label = self.samples[number]
        with path.open("rb") as file, Image.open(file) as opened:
            image = opened.convert("RGB")
        image = image.resize((ROOM, ROOM), Image.Resampling.BILINEAR)
        left, top = torch.randint(0, ROOM - SIDE + 1, (2,)).tolist()
        image = image.crop((left, top, left + SIDE, top + SIDE))
        if torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        return tensor.sub_(0.5).div_(0.5), label


def epoch(folder: Path, batch: int) -> int:
    """Load all images of a folder in batches; return their number."""
    loader = DataLoader(ImageFolder(folder), batch, shuffle=True)
    return sum(len(pictures) for pictures, _ in loader)
