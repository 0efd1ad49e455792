"""The picture of residuals: arrows where the points are, as long as it says, and always SVG that can be read."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from calibration import picture
from calibration.__main__ import main
from calibration.color_map import COLOR_SIZE, ColorMap
from calibration.picture import HEADER, MOST_ARROWS, difference_picture, residual_picture
from skeleton.errors import CalibrationError
from tests.calibration.test_command import recording  # noqa: F401 - fixtures

pytestmark = pytest.mark.usefixtures("own_settings")
SVG = "{http://www.w3.org/2000/svg}"
POINTS = np.random.default_rng(4).uniform([-0.9, -0.6, 1.8], [0.9, 0.6, 3.2], size=(300, 3))


def arrows(text: str) -> np.ndarray:
    """(N, 4) u, v of both ends of every arrow."""
    lines = ElementTree.fromstring(text).iter(f"{SVG}line")
    return np.array([[float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2")] for line in lines])


def factor(text: str) -> float:
    found = re.search(r"arrows lengthened x ([\d.e+]+)", text)
    assert found is not None
    return float(found[1])


def test_an_arrow_leads_from_the_pixel_to_where_the_map_has_it() -> None:
    pixels = ColorMap.default().project(POINTS)
    text = residual_picture(ColorMap.default().shifted(3.0, -1.0), POINTS, pixels, title="t").svg()
    found = arrows(text)
    pixels = pixels[((pixels >= 0) & (pixels < COLOR_SIZE)).all(axis=1)]
    assert len(found) == len(pixels) > 250  # those outside of the picture are counted, not drawn
    np.testing.assert_allclose(found[:, :2], pixels, atol=0.06)
    lengthened = factor(text) * np.tile([3.0, -1.0], (len(found), 1))
    np.testing.assert_allclose(found[:, 2:] - found[:, :2], lengthened, atol=0.2)
    assert 40 < np.hypot(*lengthened[0]) <= 101
    assert "300 points: 3.1623 px median" in text


def test_a_map_without_error_shows_dots_and_no_arrow() -> None:
    text = residual_picture(ColorMap.default(), POINTS, ColorMap.default().project(POINTS), title="t").svg()
    assert not len(arrows(text)) and text.count("<circle") > 250


def test_points_without_a_pixel_are_left_out_and_many_are_thinned() -> None:
    points = np.tile(POINTS, (20, 1))
    pixels = ColorMap.default().project(points) + 1.0
    pixels[::3] = -np.inf
    text = residual_picture(ColorMap.default(), points, pixels, title="t").svg()
    assert MOST_ARROWS / 2 < text.count("<circle") <= MOST_ARROWS and "4000 points" in text


def test_no_point_at_all_is_a_sentence() -> None:
    with pytest.raises(CalibrationError, match="needs joints with color pixels"):
        residual_picture(ColorMap.default(), np.zeros((0, 3)), np.zeros((0, 2)), title="t")


def test_the_difference_from_the_default_fills_the_view() -> None:
    found = arrows(difference_picture(ColorMap.default().shifted(-2.0, 9.0), title="t").svg())
    assert len(found) > 0.9 * len(picture.GRID_A) * len(picture.GRID_B)
    assert (np.ptp(found[:, :2], axis=0) > 0.85 * np.array(COLOR_SIZE)).all()


def test_the_pixels_hold_the_same_arrows() -> None:
    points = ColorMap.default().project(POINTS)
    drawn = residual_picture(ColorMap.default().shifted(3.0, -1.0), POINTS, points, title="Sensor 1, at 20°")
    image = drawn.pixels()
    assert image.shape == (COLOR_SIZE[1] + HEADER, COLOR_SIZE[0], 3) and image.dtype == np.uint8
    dot, arrow = np.array([0x3F, 0x7F, 0xBF]), np.array([0xC2, 0x41, 0x0C])
    for start, step in zip(drawn.starts[:20], drawn.steps[:20]):
        u, v = np.round(start + 0.5 * step).astype(int)
        near = image[v + HEADER - 2 : v + HEADER + 3, u - 2 : u + 3].astype(int)
        assert np.abs(near - arrow).sum(axis=-1).min() < 60
        assert np.abs(image[round(start[1]) + HEADER, round(start[0])].astype(int) - dot).sum() < 300
    assert (image[:HEADER] < 128).any()  # the title


def test_without_error_the_pixels_hold_no_arrow() -> None:
    image = residual_picture(ColorMap.default(), POINTS, ColorMap.default().project(POINTS), title="t").pixels()
    assert not ((image[..., 0] > 180) & (image[..., 2] < 40)).any()


def test_a_hostile_name_stays_text() -> None:
    text = difference_picture(ColorMap.default(), title='</text><script>"&\x00\x1b').svg()
    assert "script" not in [node.tag for node in ElementTree.fromstring(text).iter()]
    assert '</text><script>"&??' in "".join(ElementTree.fromstring(text).itertext())


def test_show_draws_the_residuals_on_a_recording(
    recording: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["fit", str(recording), "--sensor", "lab 1"]) == 0
    drawn = tmp_path / "residuals.svg"
    assert main(["show", "lab 1", "--against", str(recording), "--picture", str(drawn)]) == 0
    assert f"drawn into  {drawn}" in capsys.readouterr().out
    assert f"Sensor lab 1: from the pixels of {recording.name}" in drawn.read_text(encoding="utf-8")
    assert main(["show", "lab 1", "--picture", str(drawn)]) == 0
    assert "from the default map" in drawn.read_text(encoding="utf-8")


def test_fit_draws_its_residuals_as_png(recording: Path, tmp_path: Path) -> None:  # noqa: F811
    drawn = tmp_path / "residuals.PNG"
    assert main(["fit", str(recording), "--sensor", "lab 1", "--picture", str(drawn)]) == 0
    image = cv2.imread(str(drawn))
    assert image.shape == (COLOR_SIZE[1] + HEADER, COLOR_SIZE[0], 3)
    assert (image[HEADER + 10 : -10, 10:-10] != 255).any()  # joints, and not an empty frame
    assert [path.name for path in tmp_path.glob("*.PNG*")] == ["residuals.PNG"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--picture", "x.jpg"], "--picture must end in .png or .svg, found 'x.jpg'."),
        (["--picture", "x.svg"], "--picture draws one sensor, but 0 are calibrated. Name the sensor."),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", *arguments]) == 1
    assert capsys.readouterr().err == f"error: {sentence}\n"
