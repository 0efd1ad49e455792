"""The status line: source, frame rate, latency, losses, provider, model."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from app import theme
from app.presentation import StatusTexts


class StatusLine(QFrame):
    """Texts at the lower edge of the window; what is empty takes no room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: StatusTexts | None = None
        self.labels = {name: QLabel() for name in ("source", "rate", "latency", "losses", "provider", "model")}
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 2)
        row.setSpacing(18)
        for name, label in self.labels.items():
            label.setObjectName("quiet")
            label.setTextFormat(Qt.RichText if name == "source" else Qt.PlainText)
            row.addWidget(label)
            if name == "losses":
                row.addStretch(1)
        self.labels["rate"].setToolTip("Frames a second from the source")
        self.labels["latency"].setToolTip("Frame received to decision made: median and 99th percentile, last 2 s")
        self.labels["losses"].setToolTip(
            "Dropped: events or frames that are lost, or frames that newer ones replaced unrecognized"
        )
        self.labels["provider"].setToolTip("What computes: ONNX Runtime's provider really in use")

    def show_texts(self, texts: StatusTexts) -> None:
        """Shows other texts."""
        if texts == self._shown:
            return
        self._shown = texts
        dot = f'<span style="color:{theme.css(texts.source_color)}">●</span>&nbsp; '
        for name, label in self.labels.items():
            text = getattr(texts, name)
            label.setText(dot + _escaped(text) if name == "source" else text)
            label.setVisible(bool(text))
        self.labels["model"].setToolTip(texts.model_hint)
        color = theme.css(theme.ERROR if texts.has_losses else theme.QUIET)
        self.labels["losses"].setStyleSheet(f"color: {color};")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
