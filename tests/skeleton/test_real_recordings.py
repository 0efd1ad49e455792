"""The real recordings read as their description says, and survive every format that can hold them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from skeleton.formats.table import open_recording, write_recording
from skeleton.layout import KINECT_V2
from tests.recordings import assert_same_frames

LABANOTATION = {  # frames, inferred joints
    "Ges01_wavehand.csv": (154, 13),
    "Ges02_balancinghands.csv": (161, 5),
    "Ges03_drawlines.csv": (213, 17),
    "Ges04_comehere.csv": (172, 9),
    "Ges05_demopoint.csv": (190, 3),
    "Ges06_chickenwing.csv": (160, 305),
}


@pytest.mark.parametrize("name", LABANOTATION)
def test_labanotation(name: str, real_data: Path) -> None:
    found = open_recording(real_data / "labanotation" / name)
    frames, inferred = LABANOTATION[name]
    states = np.stack([frame.bodies[0].state for frame in found.frames])
    assert (found.info.format, found.info.layout, found.info.rate_hz) == ("csv", KINECT_V2, 30.0)
    assert (len(found.frames), int((states == 1).sum()), int((states == 2).sum())) == (
        frames, inferred, 25 * frames - inferred,
    )  # fmt: skip
    assert np.median(np.diff(found.times_s)) == pytest.approx(0.033, abs=0.001)


def test_the_first_line_of_wave_hand(real_data: Path) -> None:
    found = open_recording(real_data / "labanotation" / "Ges01_wavehand.csv")
    assert found.times_s[0] == 8981.0293609
    np.testing.assert_array_equal(found.frames[0].bodies[0].joints[0], np.float32([0.0111604, -0.367822, 2.69467]))


@pytest.mark.parametrize("suffix", [".mcap", ".npz", ".csv"])
def test_labanotation_survives_exactly(suffix: str, real_data: Path, tmp_path: Path) -> None:
    source = open_recording(real_data / "labanotation" / "Ges06_chickenwing.csv")
    write_recording(source, tmp_path / f"a{suffix}")
    found = open_recording(tmp_path / f"a{suffix}")
    assert_same_frames(found, source)  # sensor time is in steps of 100 ns, which .mcap holds exactly


def irds_members(real_data: Path, tmp_path: Path, count: int) -> list[Path]:
    """Every so-and-so-manieth recording, unpacked."""
    with zipfile.ZipFile(real_data / "irds" / "irds-188.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith("stand.txt"))
        return [Path(archive.extract(name, tmp_path)) for name in names[:: len(names) // count]]


def test_irds(real_data: Path, tmp_path: Path) -> None:
    line_ends = set()
    for path in irds_members(real_data, tmp_path, count=12):
        found = open_recording(path)
        lines = path.read_bytes().splitlines()
        line_ends.add(b"\r\n" in path.read_bytes())
        assert (found.info.format, found.info.layout) == ("irds", KINECT_V2)
        assert len(found.frames) == len([line for line in lines[1:] if line.strip()])
        body = found.frames[0].bodies[0]
        assert body.details is not None
        assert body.details.depth_px is not None
        x, y, z = body.joints.T  # the fit of depth pixels in the data's description, good to 7 pixels
        np.testing.assert_allclose(body.details.depth_px[:, 0], 258.4 + 368.2 * x / z, atol=7)
        np.testing.assert_allclose(body.details.depth_px[:, 1], 207.0 - 368.7 * y / z, atol=7)
        assert (x[4] < x[8]).all()  # a person who faces the sensor has the right shoulder at larger x
    assert line_ends == {True, False}


@pytest.mark.parametrize("suffix", [".mcap", ".npz", ".skeleton"])
def test_irds_survives_exactly(suffix: str, real_data: Path, tmp_path: Path) -> None:
    source = open_recording(irds_members(real_data, tmp_path, count=1)[0])
    write_recording(source, tmp_path / f"a{suffix}")
    found = open_recording(tmp_path / f"a{suffix}")
    times = np.abs(found.times_s - source.times_s).max() if suffix == ".skeleton" else 0.0
    assert_same_frames(found, source, time_tolerance_s=times)
