"""Formulas of notebooks on the site. What draws them is a stand-in here."""

from __future__ import annotations

import importlib
import sys
import types

import pytest


@pytest.fixture
def with_mathml(monkeypatch):
    converter = types.ModuleType("latex2mathml.converter")
    converter.convert = lambda latex, display="inline": f"<math {display}>{latex}</math>"
    monkeypatch.setitem(sys.modules, "latex2mathml", types.ModuleType("latex2mathml"))
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", converter)
    monkeypatch.delitem(sys.modules, "site_formulas", raising=False)
    yield importlib.import_module("site_formulas").with_mathml
    del sys.modules["site_formulas"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<p>where $x &lt; 0$, $b$</p>", "<math inline>x < 0</math>, <math inline>b</math></p>"),
        (
            "<p>$$a\n= b \\tag{3-5}$$</p>",
            '<p><span class="formula"><math block>a\n= b</math><span>(3-5)</span></span></p>',
        ),
        ("<p>$$L$$</p>", '<p><span class="formula"><math block>L</math></span></p>'),
    ],
)
def test_formulas(with_mathml, content, expected):
    assert with_mathml(content).endswith(expected)


@pytest.mark.parametrize(
    "content",
    [
        "<pre>$a$</pre>",
        "<p>5 $</p>",
        '<script type="a">x = "$a$"\ny = "$$"</script>',
        "<code>$a$</code>",
    ],
)
def test_what_is_no_formula_stays(with_mathml, content):
    assert with_mathml(content) == content
    assert with_mathml(f"<p>$a$</p>{content}") == f"<p><math inline>a</math></p>{content}"
