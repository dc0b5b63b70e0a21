"""Settings of finding heads: the detector, and how sure it has to be."""

from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group, Share

FamilyName = Literal["faceboxes", "yolo3", "yolo5", "yolo8", "yolo10", "rtdetr"]
Fit = Literal["letterbox", "stretch", "free"]
"""How a picture gets the size that a network takes: with its proportions, the rest filled; without
them; or any size is right, and nothing is filled.
"""
BackendName = Literal["onnxruntime", "opencv"]


class Counting(Group, frozen=True):
    """The least score of a head."""

    count_threshold: Annotated[
        Share, Meta(description="Least score of a box that counts as a head.")
    ] = 0.3


class Detecting(Group, frozen=True, rename={"class_": "class"}):
    """The detector of heads, and what counts as a head."""

    detector: Annotated[
        str | None,
        Meta(description="ONNX model of the detector: a file, a URL or hf:OWNER/NAME/PATH."),
    ] = None
    count_threshold: Annotated[
        Share | None,
        Meta(
            description="Least score of a box that counts as a head. Default: threshold.json beside"
            " the model, or 0.3."
        ),
    ] = None
    nms: Annotated[
        Share | None,
        Meta(
            description="Boxes that overlap a better one by more are the same head."
            " Default: as usual for the family."
        ),
    ] = None
    detect_side: Annotated[
        Count | None,
        Meta(
            description="Long side of the detector's input, in pixels. Default: the model's, or the"
            " family's: 1024 for faceboxes, 512 for yolo3, else 640. 1400 finds small heads."
        ),
    ] = None
    detector_family: Annotated[
        FamilyName | None,
        Meta(
            description="Layout of the outputs. Default: model_type.json beside the model, or told"
            " by their shapes."
        ),
    ] = None
    detector_fit: Annotated[
        Fit | None,
        Meta(description="How a picture gets the size of the input. Default: as the family does."),
    ] = None
    class_: Annotated[
        str | None,
        Meta(
            description="Name or number of the class to look for, as labels.json beside the model"
            " or its metadata names it. Default: head, or the only one if nothing names it."
        ),
    ] = None
    backend: Annotated[
        BackendName | None,
        Meta(
            description="Library that runs the model. Default: ONNX Runtime if installed, on the"
            " GPU if it has CUDA; workers share the GPU and its memory."
        ),
    ] = None
