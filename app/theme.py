"""Colors, sizes and the style sheet, written once: quiet, dark, and readable on a projector.

Colors are ``(red, green, blue)`` with 0..255, so that files without Qt can use them.
"""

from __future__ import annotations

Color = tuple[int, int, int]

BACKGROUND: Color = (17, 20, 25)
PANEL: Color = (24, 28, 35)
RAISED: Color = (34, 40, 50)
LINE: Color = (44, 51, 62)
TEXT: Color = (230, 234, 240)
QUIET: Color = (139, 150, 166)
FAINT: Color = (92, 102, 117)
ACCENT: Color = (94, 177, 255)
GOOD: Color = (87, 201, 139)
WARNING: Color = (240, 185, 81)
DOUBT: Color = (190, 165, 120)
ERROR: Color = (244, 112, 103)
RECORDING: Color = (235, 45, 45)

STAGE_TOP: Color = (30, 35, 44)
STAGE_BOTTOM: Color = (15, 17, 22)
"""The backdrop behind the bodies when there is no color picture."""
GRID: Color = (116, 134, 160)

PERSON_COLORS: tuple[Color, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 188, 138),
    (222, 131, 184),
    (240, 228, 66),
    (226, 113, 60),
)
"""One for each of the sensor's six bodies: Okabe and Ito's palette for color-blind readers, lightened for a dark
ground. The person's number is always written beside it."""

FONT_SIZE_PX = 13
SIDE_PANEL_WIDTH = 336
SMALLEST_WINDOW = (900, 600)


def person_color(person: int) -> Color:
    """Returns the color of person number ``person`` (from 1); the seventh has the first one's."""
    return PERSON_COLORS[(person - 1) % len(PERSON_COLORS)]


def css(color: Color) -> str:
    """Returns the color as a style sheet writes it."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def style_sheet() -> str:
    """Returns the application's style sheet."""
    values = {
        name.lower(): css(value)
        for name, value in globals().items()
        if name.isupper() and isinstance(value, tuple) and len(value) == 3
    }
    return _STYLE % {**values, "size": FONT_SIZE_PX}


_STYLE = """
* { font-size: %(size)dpx; color: %(text)s; }
QMainWindow, QDialog, QMessageBox { background: %(background)s; }
QToolTip { background: %(raised)s; color: %(text)s; border: 1px solid %(line)s; padding: 4px 6px; }
QMenuBar { background: %(background)s; color: %(quiet)s; padding: 2px 8px; }
QMenuBar::item { padding: 5px 10px; border-radius: 4px; color: %(quiet)s; background: transparent; }
QMenuBar::item:selected { background: %(raised)s; color: %(text)s; }
QMenu { background: %(panel)s; border: 1px solid %(line)s; padding: 5px; }
QMenu::item { padding: 6px 26px 6px 24px; border-radius: 4px; }
QMenu::item:selected { background: %(raised)s; }
QMenu::item:disabled { color: %(faint)s; }
QMenu::separator { height: 1px; background: %(line)s; margin: 5px 8px; }
QMenu::indicator { width: 14px; height: 14px; left: 6px; }
#panel { background: %(panel)s; border: 1px solid %(line)s; border-radius: 8px; }
#heading { color: %(quiet)s; font-size: 11px; font-weight: 600; letter-spacing: 1px; }
#quiet { color: %(quiet)s; }
#time { color: %(text)s; font-size: 13px; }
QToolButton { background: transparent; border: none; border-radius: 6px; padding: 5px; color: %(text)s; }
QToolButton:hover { background: %(raised)s; }
QToolButton:pressed { background: %(line)s; }
QToolButton:checked { background: %(raised)s; color: %(accent)s; }
QToolButton:disabled { color: %(faint)s; }
QComboBox { background: %(raised)s; border: 1px solid %(line)s; border-radius: 6px; padding: 4px 8px; min-width: 44px;
}
QComboBox:disabled { color: %(faint)s; }
QComboBox QAbstractItemView { background: %(panel)s; border: 1px solid %(line)s;
    selection-background-color: %(raised)s; }
QListView { background: transparent; border: none; outline: none; }
QScrollBar:vertical { background: transparent; width: 8px; margin: 0; }
QScrollBar::handle:vertical { background: %(line)s; border-radius: 4px; min-height: 24px; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {
    background: none; height: 0; }
QPushButton { background: %(raised)s; border: 1px solid %(line)s; border-radius: 6px; padding: 6px 14px; }
QPushButton:hover { border-color: %(faint)s; }
QPushButton:disabled { color: %(faint)s; }
QProgressBar { background: %(raised)s; border: none; border-radius: 3px; max-height: 6px; }
QProgressBar::chunk { background: %(accent)s; border-radius: 3px; }
#title { font-size: 16px; font-weight: 600; }
"""
