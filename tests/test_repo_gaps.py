"""The front page's picture is what its script draws."""

import xml.etree.ElementTree as ET

from tools import gaps


def test_the_committed_picture_is_the_drawn_one():
    assert gaps.TARGET.read_text(encoding="utf-8") == gaps.draw()


def test_the_picture_is_sound_and_names_itself():
    root = ET.fromstring(gaps.draw())
    assert root.find("{http://www.w3.org/2000/svg}title").text.startswith("Five tables")
