"""The site for language models: ``llms.txt`` lists the pages, ``llms-full.txt`` has all of their text (https://llmstxt.org).

Each page is also there as plain text beside its HTML: a guide as the Markdown that it is made of, and a page of the
reference as Sphinx writes text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from docutils.io import StringOutput
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.text import TextBuilder
from sphinx.writers.text import TextWriter

_INCLUDE: Final = re.compile(
    r"^```\{include\} (?P<path>\S+)\n(?::start-after: (?P<after>.+)\n)?(?::end-before: (?P<before>.+)\n)?```$", re.MULTILINE
)
_REFERENCE: Final = "```{eval-rst}"
_SENTENCE: Final = re.compile(r".+?[.:](?=\s|$)", re.DOTALL)


def remember(app: Sphinx, page: str, source: list[str]) -> None:
    """Keep the Markdown of a page, with the files that it includes."""
    folder = app.env.doc2path(page).parent

    def included(match: re.Match[str]) -> str:
        content = [(folder / match["path"]).read_text(encoding="utf-8")]
        app.emit("include-read", Path(match["path"]), page, content)
        _, _, text = content[0].rpartition(match["after"] or "\0")
        return text.partition(match["before"] or "\0")[0].strip()

    _texts(app)[page] = _INCLUDE.sub(included, source[0])


def _texts(app: Sphinx) -> dict[str, str]:
    texts: dict[str, str] = app.env.__dict__.setdefault("llms_texts", {})
    return texts


def write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    root = app.config.root_doc
    index = [f"# {app.config.project}", "", f"> {_summary(app, root)}"]
    full = []
    for caption, pages in _sections(app, root):
        index += ["", f"## {caption}", ""]
        for page in pages:
            file, text = _text(app, page)
            (app.outdir / file).write_text(text, encoding="utf-8")
            full.append(text)
            index.append(f"- [{_title(app, page)}]({app.config.html_baseurl}{file}): {_summary(app, page)}")
    (app.outdir / "llms.txt").write_text("\n".join(index) + "\n", encoding="utf-8")
    (app.outdir / "llms-full.txt").write_text("\n\n".join(full), encoding="utf-8")


def _sections(app: Sphinx, root: str) -> list[tuple[str, list[str]]]:
    """The lists of the first page: a caption, and the names of the pages below it."""
    lists = app.env.get_doctree(root).findall(addnodes.toctree)
    return [(toctree["caption"], toctree["includefiles"]) for toctree in lists]


def _title(app: Sphinx, page: str) -> str:
    return f"{app.env.titles[page].astext()}"


def _summary(app: Sphinx, page: str) -> str:
    """The first sentence of a page."""
    paragraph = next(app.env.get_doctree(page).findall(nodes.paragraph)).astext()
    sentence = _SENTENCE.match(paragraph)
    return " ".join((sentence[0] if sentence else paragraph).split())


def _text(app: Sphinx, page: str) -> tuple[str, str]:
    """The name of the page's file for readers without HTML, and its text."""
    text = _texts(app)[page]
    if _REFERENCE not in text:
        return f"{page}.md", f"{text.strip()}\n"
    builder = TextBuilder(app, app.env)
    builder.init()
    output = StringOutput(encoding="unicode")
    TextWriter(builder).write(app.env.get_and_resolve_doctree(page, builder), output)
    return f"{page}.txt", f"{output.destination}"


def setup(app: Sphinx) -> dict[str, Any]:
    # After the links have been rewritten.
    app.connect("source-read", remember, priority=900)
    app.connect("build-finished", write)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
