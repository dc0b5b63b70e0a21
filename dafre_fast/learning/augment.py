"""Random changes of whole batches of pictures, on the device that trains.

Each picture gets a few operations of a list, as in RandAugment (Cubuk et al., arXiv:1909.13719).
Those of its place (crop, flip, rotate, shear, shift) are one affine map and one interpolation;
those of its colours are one linear map. Hues stay, since hair and eyes tell characters apart.
"""

from math import pi

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dafre_fast.learning.networks import LUMA
from dafre_fast.learning.recipes import Recipe

_OPERATIONS = ("rotate", "shear", "shift", "brightness", "contrast", "saturation", "blur", "fade")


def augment(pictures: Tensor, recipe: Recipe, draws: Generator) -> Tensor:
    """Return changed pictures: uint8 (n, 3, height, width) to float (n, 3, side, side), 0 to 1.

    Without operations, a crop has the network's side, and no pixel is interpolated. `draws` is on
    the CPU, so that all devices draw the same.
    """
    drawn = _Draws(len(pictures), recipe, draws, pictures.device)
    if recipe.operations and recipe.magnitude:
        changed = _recoloured(_moved(pictures, recipe.side, drawn), drawn)
    else:
        changed = _cropped(pictures, recipe.side, drawn).float().div_(255)
    return _erased(changed, drawn) if recipe.erase else changed


def middle(pictures: Tensor, side: int) -> Tensor:
    """Cut the middle out of pictures, uint8 (…, height, width), as squares of `side` pixels."""
    top, left = ((length - side) // 2 for length in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]


def _most(recipe: Recipe) -> list[float]:
    """Return how strong each operation is at full strength."""
    place = (recipe.turn * pi / 180, recipe.shear, recipe.shift)
    return [*place, *[recipe.tint] * 3, 1.0, recipe.fade]


class _Draws:
    """The random numbers of a batch, drawn at once."""

    def __init__(self, images: int, recipe: Recipe, draws: Generator, device: torch.device) -> None:
        number = len(_OPERATIONS)
        chosen = torch.rand(images, number, generator=draws).argsort(1) < recipe.operations
        strength = 2 * torch.rand(images, number, generator=draws) - 1
        most = torch.tensor(_most(recipe))
        strengths = (chosen * strength * recipe.magnitude * most).to(device)
        self.of = dict(zip(_OPERATIONS, strengths.unbind(1), strict=True))
        self.erased = recipe.erase_least, recipe.erase_most
        share = recipe.crop + (1 - recipe.crop) * torch.rand(images, generator=draws)
        self.crop = share.to(device)
        self.at = (2 * torch.rand(images, 2, generator=draws) - 1).to(device)
        self.flip = (torch.rand(images, generator=draws) < 0.5 * recipe.flip).to(device)
        self.erase = (torch.rand(images, generator=draws) < recipe.erase).to(device)
        self.rectangle = torch.rand(images, 4, generator=draws).to(device)


def _cropped(pictures: Tensor, side: int, draws: "_Draws") -> Tensor:
    """Cut a square out of each picture, and mirror some."""
    room = torch.tensor(pictures.shape[2:], device=pictures.device) - side
    begins = ((draws.at + 1) / 2 * (room + 1)).long().clamp(max=room).tolist()
    cut = torch.empty_like(pictures[:, :, :side, :side])
    for place, ((top, left), flip) in enumerate(zip(begins, draws.flip.tolist(), strict=True)):
        square = pictures[place, :, top : top + side, left : left + side]
        cut[place] = square.flip(2) if flip else square
    return cut


def _moved(pictures: Tensor, side: int, draws: "_Draws") -> Tensor:
    grid = functional.affine_grid(
        _places(draws), [len(pictures), 3, side, side], align_corners=False
    )
    return functional.grid_sample(
        pictures.float() / 255, grid, padding_mode="reflection", align_corners=False
    )


def _places(draws: _Draws) -> Tensor:
    """Return affine maps (n, 2, 3) from places in the new pictures to places in the old ones, which
    reach from -1 to 1.
    """
    angle, shear = draws.of["rotate"], draws.of["shear"]
    cos, sin = draws.crop * torch.cos(angle), draws.crop * torch.sin(angle)
    mirror = 1 - 2 * draws.flip.float()
    shift = draws.at * (1 - draws.crop)[:, None]
    shift[:, 0] += draws.of["shift"]
    rows = (
        (mirror * cos, shear * cos - sin, shift[:, 0]),
        (mirror * sin, shear * sin + cos, shift[:, 1]),
    )
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _recoloured(pictures: Tensor, draws: "_Draws") -> Tensor:
    """Change saturation, brightness, contrast and sharpness, and fade to white."""
    saturation, brightness, contrast = (
        (1 + draws.of[name]).view(-1, 1, 1) for name in ("saturation", "brightness", "contrast")
    )
    fade = 1 - draws.of["fade"].abs().view(-1, 1, 1)
    luma = pictures.new_tensor(LUMA).expand(len(pictures), 3, 3)
    mix = brightness * (saturation * torch.eye(3, device=pictures.device) + (1 - saturation) * luma)
    grey = torch.bmm(mix, pictures.mean((2, 3))[..., None]).mean(1, keepdim=True)
    added = fade * (1 - contrast) * grey + 1 - fade
    mixed = torch.baddbmm(added, fade * contrast * mix, pictures.flatten(2)).view_as(pictures)
    # A share of the blurred picture, or, if it is negative, sharper edges.
    blurred = draws.of["blur"].nonzero().flatten()
    few, share = mixed[blurred], draws.of["blur"][blurred].view(-1, 1, 1, 1)
    smooth = functional.avg_pool2d(few, 3, 1, 1, count_include_pad=False)
    return mixed.index_copy(0, blurred, few.lerp(smooth, share)).clamp_(0, 1)


def _erased(pictures: Tensor, draws: _Draws) -> Tensor:
    """Make a rectangle grey in the pictures that are drawn for it."""
    low, high = draws.erased
    sides = low + (high - low) * draws.rectangle[:, :2]
    begins = draws.rectangle[:, 2:] * (1 - sides)
    inside = torch.ones((), dtype=torch.bool, device=pictures.device)
    for axis, length in enumerate(pictures.shape[2:]):
        at = (torch.arange(length, device=pictures.device) + 0.5) / length
        begin, side = begins[:, axis, None], sides[:, axis, None]
        along = (at >= begin) & (at < begin + side)
        inside = inside & along.unflatten(1, (-1, 1) if axis == 0 else (1, -1))
    hidden = (inside & draws.erase[:, None, None])[:, None]
    return pictures.masked_fill(hidden, 0.5)
