"""Tolerances: how far each step may move the picture, with the reason for each number."""

from __future__ import annotations

from mobile_nelf.deploy.form import changes_function
from mobile_nelf.vocabulary import Activation, ActivationForm, LayoutName, WeightForm

__all__ = [
    "COMPRESSED_MIN_PSNR_DB",
    "DEPLOY_MAX_ERROR",
    "EMULATED_MIN_PSNR_DB",
    "FP16_LIMIT",
    "required_psnr_db",
]

#: Deploy form against student, fed the same encoding. Folding BatchNorm re-associates float32 sums;
#: 70 layers deep that moved frames of a trained D60-SR3 by 1e-6.
DEPLOY_MAX_ERROR = 1e-5

#: Artefact against student, worst reference frame. `embedded` gets the same numbers as the student
#: and only sums them in another order. The others compute the encoding in float32, where 2⁵·x
#: carries an error of about 1e-5 into the network; 60 dB is a rms error of 1/4 of an 8-bit step.
ARTEFACT_MIN_PSNR_DB: dict[LayoutName, float] = {
    "embedded": 100.0,
    "rays": 60.0,
    "camera": 60.0,
    "factored": 60.0,
}

#: Artefact with weights in fp16. Rounding them moves frames whatever the layout, so that even
#: `embedded` need not reach more than the others. A trained D60-SR3 reached 84 to 86 dB, whatever
#: the layout.
FP16_MIN_PSNR_DB = 60.0

#: Artefact in which every result is rounded to fp16, as a device may. An rms error of 0.8 of an
#: 8-bit step is not seen. A trained D60-SR3 reached 74.6 to 74.8 dB, whatever the layout; with its
#: phases in fp16 as well, 53.5 dB.
EMULATED_MIN_PSNR_DB = 50.0

#: Artefact with compressed weights. These only tell a poor copy from a broken one; what compression
#: costs is judged by the PSNR of test views. A trained D60-SR3 reached 59.1, 47.3, 32.8 and, never
#: trained to be sparse, 20.0 dB. One wrong layer gave 22 to 28 dB in the body and 13 to 16 dB at
#: either end, so that the last two tell only a package that is broken as a whole.
COMPRESSED_MIN_PSNR_DB: dict[WeightForm, float] = {
    "int8": 45.0,
    "palette6": 35.0,
    "palette4": 25.0,
    "palette-mixed": 25.0,
    "sparse50": 15.0,
    "int8-activations": 35.0,
}

#: Largest finite number in fp16. Beyond it a device computes infinity, which a sigmoid hides.
FP16_LIMIT = 65504.0

#: Artefact whose activation was mapped to another function on request. Below this the difference
#: can be seen, and the student should be trained with the activation that is wanted.
MAPPED_MIN_PSNR_DB = 45.0


def required_psnr_db(
    layout: LayoutName, trained: Activation, form: ActivationForm, *, fp16_weights: bool = False
) -> float:
    """Returns what each frame of an artefact must reach against the trained student."""
    required = ARTEFACT_MIN_PSNR_DB[layout]
    if fp16_weights:
        required = min(required, FP16_MIN_PSNR_DB)
    if changes_function(trained, form):
        required = min(required, MAPPED_MIN_PSNR_DB)
    return required
