"""What the user of target coreml may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import SharedOptions, option
from mobile_nelf.vocabulary import BorderType, Experience, OutputForm, WeightForm

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout, activation, and what a package of Core ML can be.

    Attributes:
        weights: how weights are stored, one package for each; chosen by the exporter if empty.
        output_form: tensor or picture; chosen by the exporter if `None`.
        io: type of inputs and outputs; chosen by the exporter if `None`.
        experience: what the sample app does; chosen by the exporter if `None`.
        size_cm: height of the object in the room.
        ios: lowest version of iOS and iPadOS; chosen by the exporter if `None`.
        every_layout: write a package for each input layout.
        second_opinion: run the same graph in Apple's Core AI runtime as well.
    """

    weights: tuple[WeightForm, ...] = option(
        "How weights are stored; a model for each if given more than once.", many=True
    )
    output_form: OutputForm | None = option("What the model returns.")
    io: BorderType | None = option(
        "Type of inputs and outputs: fp16 (default) or fp32, for devices with an A13."
    )
    experience: Experience | None = option(
        "Turn the object under the finger (orbit, default) or walk round it (world)."
    )
    size_cm: float | None = option(
        "True height of the object in the room, in centimetres. Default: its true size if the "
        "photos showed the printed board, else as the photos show it from a metre.",
        metavar="CM",
    )
    ios: int | None = option("Lowest version of iOS and iPadOS.", metavar="VERSION")
    every_layout: bool = option(
        "A package for each input layout, so that a device tells which is fastest.", flag=True
    )
    second_opinion: bool = option(
        "Run the same graph in Apple's Core AI runtime as well.", flag=True
    )
