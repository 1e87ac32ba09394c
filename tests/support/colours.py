"""Colours as a browser computes them, and whether one can be read on another."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Page

Colour = list[int]
"""Red, green and blue, from 0 to 255."""

_COMPUTE = """(names) => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  const probe = document.body.appendChild(document.createElement("i"));
  const found = names.map((name) => {
    probe.style.color = name;
    context.fillStyle = getComputedStyle(probe).color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  });
  probe.remove();
  return found;
}"""


def colours_of(page: Page, names: Sequence[str]) -> dict[str, Colour]:
    """Return colours by what CSS calls them: ``var(--up)``."""
    return dict(zip(names, page.evaluate(_COMPUTE, list(names)), strict=True))


def contrast(ink: Colour, ground: Colour) -> float:
    """Return the contrast of two colours (WCAG 2, 1.4.3)."""
    dark, light = sorted(_luminance(each) for each in (ink, ground))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    """Return a colour's relative luminance."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
