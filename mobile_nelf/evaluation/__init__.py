"""How good a student or a teacher is: figures by one protocol, its worst views, its steadiness."""

from mobile_nelf.evaluation.protocol import (
    evaluate,
    evaluate_frames,
    evaluate_teacher,
    photo_psnr_db,
    require_metrics,
)
from mobile_nelf.evaluation.scores import (
    MEANS,
    OBJECT_PROTOCOL,
    PROTOCOL,
    Evaluation,
    Score,
    Steadiness,
    SubsetScore,
)

__all__ = [
    "MEANS",
    "OBJECT_PROTOCOL",
    "PROTOCOL",
    "Evaluation",
    "Score",
    "Steadiness",
    "SubsetScore",
    "evaluate",
    "evaluate_frames",
    "evaluate_teacher",
    "photo_psnr_db",
    "require_metrics",
]
