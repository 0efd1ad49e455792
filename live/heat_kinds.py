"""The kinds of heat: what the color of a joint may say. Pure numbers; colors and scales are the app's business."""

from __future__ import annotations

from enum import Enum

import numpy as np


class HeatKind(Enum):
    """What the color of a joint says.

    Attributes:
        SPATIAL: |s|, the paper's spatial attention: one weight a joint for the whole window.
        COUPLED: |t * s| at the newest frame, the paper's coupled map: the same order of joints, and how much the
            network weighs this moment.
        EVIDENCE: How much the score of the shown class falls when the joint is hidden.
    """

    SPATIAL = "spatial"
    COUPLED = "coupled"
    EVIDENCE = "evidence"


DEFAULT_HEAT = HeatKind.EVIDENCE
"""The most faithful one; see docs/decisions/0009-heat.md."""


def coupled(joint_attention: np.ndarray, frame_attention: np.ndarray) -> np.ndarray:
    """Returns |t * s| of every joint at the newest frame, equation (2) of the paper.

    Args:
        joint_attention: (V,) spatial weights; NaN where there is none.
        frame_attention: (T,) temporal weights, oldest first.
    """
    return np.abs(joint_attention * frame_attention[-1])
