"""Fonts of captions: Pillow's own, matplotlib's DejaVu, or any that has what both lack."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

from sketchrnn_cli.errors import SketchWarning

Font = ImageFont.FreeTypeFont

MOST = 200  # characters of a text that are looked at
_STYLES = re.compile(r"bold|italic|oblique|light|thin|black|mono|serif|condensed", re.I)


def fonts_for(texts: Iterable[str], size: int) -> Callable[[str], Font]:
    """What chooses the font of each of these texts; it warns once of characters that none has."""
    own, texts = _fonts(size), list(texts)
    lacking = {text: min((_lacking(font, text) for font in own), key=len) for text in texts}
    wanted = {c: None for missing in lacking.values() for c in missing}
    found = _system_font("".join(sorted(wanted))) if wanted else None
    others = {  # where no font has all of them, each text has its own
        text: found or _system_font("".join(sorted(set(text[:MOST]) - {"\n"})))
        for text, missing in lacking.items()
        if missing
    }
    if None in others.values():
        warnings.warn(
            "no font on this system has all characters of the captions: the others show as boxes; "
            "install one, such as Noto, or write SVG",
            SketchWarning,
            stacklevel=3,
        )

    def choose(text: str) -> Font:
        path = others.get(text)
        if path is not None:
            return ImageFont.truetype(path, size)
        return next((font for font in own if not _lacking(font, text)), own[-1])

    return choose


def _lacking(font: Font, text: str) -> list[str]:
    """Characters that a font shows as it shows what it does not have."""
    blank = bytes(font.getmask("\uffff"))
    seen = dict.fromkeys(c for c in text[:MOST] if not c.isspace())
    return [c for c in seen if bytes(font.getmask(c)) == blank]


@lru_cache
def _system_font(characters: str) -> str | None:
    """The first font of the system that has all these characters; plain ones come first."""
    from matplotlib.font_manager import findSystemFonts  # a second

    for path in sorted(findSystemFonts(), key=lambda path: (len(_STYLES.findall(path)), path)):
        try:
            font = ImageFont.truetype(path, 9)
            if not _lacking(font, characters):
                return path
        except (OSError, ValueError):  # a bitmap font, or a damaged one
            continue
    return None


@lru_cache
def _fonts(size: int) -> list[Font]:
    fonts = [ImageFont.load_default(size)]
    spec = find_spec("matplotlib")  # looks, does not import
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            fonts.append(ImageFont.truetype(path, size - 1))  # DejaVu is a large face
    return [font for font in fonts if isinstance(font, Font)]
