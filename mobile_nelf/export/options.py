"""What may be asked of an exporter."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.errors import InputError
from mobile_nelf.vocabulary import ActivationForm, Experience, LayoutName, OutputForm, WeightForm

__all__ = ["NO_OPTIONS", "ExportOptions"]


@dataclass(frozen=True)
class ExportOptions:
    """What may be asked of an exporter; it refuses what its target does not have.

    Attributes:
        layout: input layout; chosen by the exporter if `None`.
        activation: how the artefact computes the activation; chosen by the exporter if `None`.
        weights: how weights are stored, one artefact for each; chosen by the exporter if empty.
        output_form: tensor or picture; chosen by the exporter if `None`.
        ios: lowest version of iOS and iPadOS; chosen by the exporter if `None`.
        experience: what people do with a lens; chosen by the exporter if `None`.
        second_opinion: run the same graph in Apple's Core AI runtime as well, for target coreml.
    """

    layout: LayoutName | None = None
    activation: ActivationForm | None = None
    weights: tuple[WeightForm, ...] = ()
    output_form: OutputForm | None = None
    ios: int | None = None
    experience: Experience | None = None
    second_opinion: bool = False

    def refuse(self, target: str, *names: str) -> None:
        """Refuses options that a target does not have.

        Raises:
            InputError: one of the attributes `names` was set.
        """
        for name in names:
            if getattr(self, name) not in (None, (), False):
                raise InputError(
                    f"target {target} has no choice of {name}; leave it out", arguments=[name]
                )


#: Leaves every choice to the exporter.
NO_OPTIONS = ExportOptions()
