"""The data sets that can be prepared: one row each."""

from __future__ import annotations

from training.datasets.base import DataSet
from training.datasets.folder import FOLDER
from training.datasets.machete import MACHETE
from training.datasets.multitrack import MULTITRACK
from training.datasets.ntu import NTU60, NTU120
from training.datasets.sign30 import SIGN30
from training.datasets.uestc import UESTC
from training.datasets.ui_prmd import UI_PRMD

DATASETS: dict[str, DataSet] = {
    data_set.name: data_set for data_set in (UI_PRMD, MACHETE, SIGN30, NTU60, NTU120, UESTC, MULTITRACK, FOLDER)
}
