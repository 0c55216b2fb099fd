"""An executed notebook as one self-contained page: light, dark, and on a phone."""

from __future__ import annotations

import html
import re

__all__ = ["render_page"]


def render_page(book, title):
    """Make one HTML file of an executed notebook; it loads nothing from anywhere.

    Parameters
    ----------
    book : NotebookNode
        Executed. Figures take their alternative text from the cell's ``alt``.
    title : str
        Title of the page.

    Returns
    -------
    str
        The document. Code is folded.
    """
    parts = [part for cell in book.cells if (part := _cell(cell))]
    body = "\n".join([parts[0], _first(book), *parts[1:]])
    return _PAGE.format(title=html.escape(title), style=_STYLE, body=body)


def _first(book):
    """What the reader wants to know first: the cell tagged ``summary``."""
    cells = [c for c in book.cells if "summary" in c.metadata.get("tags", ())]
    shown = [_output(output, cell) for cell in cells for output in cell.outputs]
    return f'<section class="short">{"".join(shown)}</section>' if shown else ""


def _cell(cell):
    if cell.cell_type == "markdown":
        return _markdown(cell.source)
    shown = [_output(output, cell) for output in cell.outputs]
    code = (
        "<details><summary>code</summary>"
        f"<pre><code>{html.escape(cell.source)}</code></pre></details>"
    )
    return "\n".join([*filter(None, shown), code])


def _markdown(text):
    from nbconvert.filters import markdown2html

    made = markdown2html(text)
    # nbconvert adds links that show as pilcrows.
    return re.sub(r'<a class="anchor-link".*?</a>', "", made)


def _output(output, cell):
    if output.output_type == "stream":
        kind = "warning" if output.name == "stderr" else "said"
        return f'<pre class="{kind}">{html.escape(output.text.strip())}</pre>'
    data = output.get("data", {})
    if "image/png" in data:
        alt = html.escape(cell.metadata.get("alt", "figure"), quote=True)
        image = "".join(data["image/png"].split())
        return f'<figure><img alt="{alt}" src="data:image/png;base64,{image}"></figure>'
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    if "text/html" in data and "<table" in data["text/html"]:
        return _table(data["text/html"])
    if "text/plain" in data:
        return f'<pre class="said">{html.escape(data["text/plain"])}</pre>'
    return ""


def _table(text):
    """A pandas table without its inline style, in a box that scrolls sideways."""
    table = re.search(r"<table.*?</table>", text, flags=re.DOTALL).group(0)
    table = re.sub(r"<table[^>]*>", "<table>", table)
    table = re.sub(r' style="[^"]*"', "", table)
    table = table.replace("&lt;NA&gt;", "").replace("<td>NaN</td>", "<td></td>")
    heads = re.findall(r"<tr>\s*<th>(\d+)</th>", table)
    if heads and heads == [str(number) for number in range(len(heads))]:
        # Row numbers say nothing; labels do.
        table = re.sub(r"(<tr>\s*)<th>\d+</th>", r"\1", table)
        table = re.sub(r"(<tr[^>]*>\s*)<th></th>", r"\1", table)
    table = table.replace("<th></th>", "<td></td>")
    table = re.sub(r"<td>([^<]{18,})</td>", r'<td class="long">\1</td>', table)
    box = '<div class="scroll" tabindex="0" role="region" aria-label="table">'
    return f"{box}{table}</div>"


_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #ffffff; --soft: #f3f4f6;
  --line: #d8dbe0; --accent: #0b5c96; --warn: #fff4e0; --warn-ink: #5a3a00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e7ea; --paper: #17191c; --soft: #22262b; --line: #3a4048;
    --accent: #7cc0f0; --warn: #3a2c10; --warn-ink: #ffdf9e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 4rem; max-width: 54rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin-top: 2.4rem; padding-top: .6rem;
  border-top: 1px solid var(--line); }
a { color: var(--accent); }
li { margin: .3rem 0; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; }
pre { background: var(--soft); padding: .7rem .8rem; border-radius: 6px;
  overflow-x: auto; font-size: .82rem; line-height: 1.45; }
pre.warning { background: var(--warn); color: var(--warn-ink); white-space: pre-wrap; }
pre.said { white-space: pre-wrap; }
details { margin: .3rem 0 1.1rem; color: var(--ink); }
summary { cursor: pointer; font-size: .8rem; opacity: .75; width: max-content;
  padding: .2rem 0; }
.short { border-left: 4px solid var(--accent); background: var(--soft);
  padding: .2rem 1rem; border-radius: 0 6px 6px 0; }
figure { margin: 1rem 0; padding: .6rem; background: #ffffff; border-radius: 6px;
  border: 1px solid var(--line); text-align: center; }
img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px;
  margin: .8rem 0; }
table { border-collapse: collapse; font-size: .84rem; min-width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: normal; }
td { min-width: 3rem; max-width: 24rem; }
td.long { min-width: 13rem; }
thead th { background: var(--soft); white-space: nowrap; }
tbody th { font-weight: 500; opacity: .7; }
tr:last-child > * { border-bottom: 0; }
@media (max-width: 40rem) { body { padding: .8rem .8rem 3rem; }
  h1 { font-size: 1.35rem; } figure { padding: .2rem; } }
@media print { details { display: none; } .scroll { overflow: visible; } }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
