"""Attention as color: fixed scale, even lightness."""

from __future__ import annotations

import numpy as np
import pytest

from app import heat
from app.heat import HeatScale


@pytest.mark.parametrize(
    ("attention", "level"),
    [(0.2, 0.0), (0.7, 0.5), (1.2, 1.0), (-0.7, 0.5), (0.0, 0.0), (9.0, 1.0)],
    ids=["low end", "middle", "high end", "the sign does not matter", "below the scale", "above the scale"],
)
def test_a_value_has_its_level(attention: float, level: float) -> None:
    assert HeatScale(0.2, 1.2).levels(np.array([attention]))[0] == pytest.approx(level)


def test_the_scale_does_not_follow_the_frame() -> None:
    scale = HeatScale(0.0, 1.0)
    assert scale.levels(np.array([0.1, 0.11])).max() == pytest.approx(0.11)  # noise stays dark


def test_a_joint_that_the_model_lacks_has_no_level() -> None:
    assert np.isnan(HeatScale(0.0, 1.0).levels(np.array([np.nan]))).all()


def test_lightness_grows_from_each_color_to_the_next() -> None:
    lightness = heat.TABLE.astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -1.0).all()  # rounding to whole numbers
    assert lightness[-1] - lightness[0] > 200


def test_the_legend_names_both_ends() -> None:
    assert HeatScale(0.25, 1.5).legend() == ("0.25", "1.50")
