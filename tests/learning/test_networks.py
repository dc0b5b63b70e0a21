"""Networks, losses and augmentation; only where PyTorch is installed."""

import math

import pytest
from msgspec import structs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dafre_fast.learning.augment import augment, middle  # noqa: E402
from dafre_fast.learning.losses import Scores, loss_of, margins  # noqa: E402
from dafre_fast.learning.networks import Average, Recogniser, resnet18  # noqa: E402
from dafre_fast.learning.recipes import MODERN, ORIGINAL  # noqa: E402

SMALL = structs.replace(ORIGINAL, side=32, width=4, embedding=4)


@pytest.mark.parametrize(("stem", "side"), [("7x7", 4), ("3x3", 8)])
def test_resnet_18_has_as_many_parameters_as_is_known_and_the_stem_decides_the_side(
    stem, side
) -> None:
    network = resnet18(3, stem)
    assert sum(one.numel() for one in network.parameters()) == (
        11_176_512 - (3 * 64 * (49 - 9) if stem == "3x3" else 0)
    )
    assert network[:-2](torch.zeros(1, 3, 128, 128)).shape == (1, 512, side, side)


@pytest.mark.parametrize("colours", ["grey", "colour"])
@pytest.mark.parametrize("views", [1, 2])
def test_a_recogniser_gives_a_score_for_each_class(colours, views) -> None:
    model = Recogniser(structs.replace(SMALL, colours=colours), [3, 4, 5], views).eval()
    assert model(torch.zeros(2, views, 3, 32, 32)).shape == (2, 3)
    assert model.embed(torch.zeros(2, views, 3, 32, 32)).shape == (2, 4)


def test_grey_models_see_no_hue() -> None:
    model = Recogniser(SMALL, [1, 1], 1).eval()
    red, green, blue = 0.299, 0.587, 0.114
    colour = torch.tensor([0.5 / red, 0.0, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 32, 32)
    alike = torch.tensor([0.0, 0.5 / green, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 32, 32)
    assert blue
    torch.testing.assert_close(model(colour), model(alike), rtol=1e-4, atol=1e-4)


def head(**figures: object) -> Scores:
    made = Scores(structs.replace(SMALL, **figures), [10, 1000])
    made.weight.data = torch.nn.functional.one_hot(torch.arange(len(made.weight)) % 4, 4).float()
    return made


def test_arcface_enlarges_the_angle_to_the_right_class_alone() -> None:
    embeddings = torch.tensor([[math.cos(0.3), math.sin(0.3), 0.0, 0.0]]) * 7
    scores = head(margin=0.5)(embeddings, torch.tensor([0]))
    expected = [30 * math.cos(0.3 + 0.5), 30 * math.cos(math.pi / 2 - 0.3)]
    assert scores[0].tolist() == pytest.approx(expected, abs=1e-3)
    assert head()(embeddings)[0, 0].item() == pytest.approx(30 * math.cos(0.3), abs=1e-3)


def test_scores_fall_with_the_angle_even_beyond_the_half_circle() -> None:
    angles = torch.linspace(0, math.pi, 50)
    embeddings = torch.stack((angles.cos(), 0 * angles, 0 * angles, angles.sin()), 1)
    scores = head(margin=0.5)(embeddings, torch.zeros(50, dtype=torch.int64))[:, 0]
    assert (scores.diff() < 1e-3).all()


def test_the_nearest_of_several_centres_counts() -> None:
    made = head(loss="subcentre", centres=2)  # class 0: axes 0 and 1; class 1: axes 2 and 3
    for axis, expected in ((0, 0), (1, 0), (2, 1), (3, 1)):
        embedding = torch.nn.functional.one_hot(torch.tensor([axis]), 4).float()
        assert made(embedding).argmax(1).item() == expected


def test_margins_shrink_with_the_size_of_the_class_towards_the_least() -> None:
    found = margins([20, 320, 10**9, 0], 0.4, 0.1, 0.25).tolist()
    assert found[3] == pytest.approx(0.4)
    assert found == sorted(found[:3], reverse=True) + found[3:]
    assert found[2] == pytest.approx(0.1, abs=0.01)
    assert margins([20, 320], 0.4, 0.1, 0.25).tolist() == pytest.approx([0.4, 0.25])


def test_softmax_has_no_margin() -> None:
    embeddings = torch.randn(3, 4)
    made = head(loss="softmax")
    torch.testing.assert_close(made(embeddings), made(embeddings, torch.zeros(3).long()))


def test_smoothing_spreads_a_share_of_the_label() -> None:
    scores = torch.tensor([[5.0, 0.0]])
    losses = [loss_of(scores, torch.tensor([0]), share).item() for share in (0.0, 0.2)]
    assert losses[1] - losses[0] == pytest.approx(0.1 * 5)


def test_the_average_follows_the_model_and_forgets_its_beginning() -> None:
    model = torch.nn.BatchNorm1d(2)
    average = Average(model, 0.9, 10.0)
    model.weight.data.fill_(3.0)
    for step in range(200):
        average.update(model, step)
    torch.testing.assert_close(average.model.weight.data, torch.full((2,), 3.0), atol=1e-3, rtol=0)


def pictures() -> object:
    return torch.randint(0, 256, (6, 3, 40, 40), dtype=torch.uint8)


def drawn(seed: int) -> object:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("recipe", [MODERN, ORIGINAL], ids=["modern", "original"])
def test_augmented_pictures_are_those_of_the_seed_in_range_and_of_the_networks_side(recipe) -> None:
    recipe, some = structs.replace(recipe, side=32), pictures()
    first, again, other = (augment(some, recipe, drawn(seed)) for seed in (1, 1, 2))
    assert first.shape == (6, 3, 32, 32)
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_operations_of_no_strength_change_nothing_but_the_crop() -> None:
    nothing = {"turn": 0.0, "shear": 0.0, "shift": 0.0, "tint": 0.0, "fade": 0.0}
    figures = nothing | {"side": 40, "crop": 1.0, "flip": False, "erase": 0.0}
    recipe = structs.replace(MODERN, operations=5, **figures)
    even = torch.full((6, 3, 40, 40), 100, dtype=torch.uint8)
    torch.testing.assert_close(augment(even, recipe, drawn(1)), even / 255)
    for name in ("tint", "fade"):
        stronger = structs.replace(recipe, **{name: 0.5})
        assert (augment(even, stronger, drawn(1)) - even / 255).abs().max() > 0.05


@pytest.mark.parametrize(("least", "most"), [(0.5, 0.5), (1.0, 1.0)])
def test_erased_rectangles_have_sides_between_the_least_and_the_most(least, most) -> None:
    figures = {"side": 40, "crop": 1.0, "operations": 0, "erase": 1.0}
    recipe = structs.replace(MODERN, **figures, erase_least=least, erase_most=most)
    white = torch.full((4, 3, 40, 40), 255, dtype=torch.uint8)
    shares = (augment(white, recipe, drawn(2)) == 0.5).float().mean((1, 2, 3))
    assert shares.tolist() == pytest.approx([least * most] * 4, abs=0.03)


def test_without_operations_a_crop_is_cut_out_of_the_picture_as_it_is() -> None:
    recipe, some = structs.replace(ORIGINAL, side=32, flip=False), pictures()
    for picture, cut in zip(some, augment(some, recipe, drawn(3)), strict=True):
        windows = picture.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        assert any(torch.equal(window / 255, cut) for window in windows)


def test_the_middle_is_cut_out_of_what_is_judged() -> None:
    some = pictures()
    assert torch.equal(middle(some, 32), some[..., 4:36, 4:36])
