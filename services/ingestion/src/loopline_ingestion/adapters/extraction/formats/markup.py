"""Markdown and HTML."""

from markdown_it import MarkdownIt
from markdown_it.token import Token
from selectolax.lexbor import LexborHTMLParser, LexborNode

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Kind, rows
from loopline_ingestion.adapters.extraction.formats.plain import decoded

_DROPPED = ["script", "style", "noscript", "template", "svg", "nav", "iframe"]
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# What parts a text; the rest (bold, links, spans) stands inside a sentence.
_PARTING = "p,li,pre,blockquote,dt,dd,table,h1,h2,h3,h4,h5,h6,div,section,article,main,header,footer,aside,ul,ol,dl,form,figure,fieldset,address"
_PARTS = frozenset(_PARTING.split(","))
_BLOCKS = {"p", "li", "pre", "blockquote", "dt", "dd", "figcaption", "table", "address", *_HEADINGS}


def markdown(data: bytes) -> Content:
    """Headings, paragraphs, lists, code, tables; a title is the first heading of the first level."""
    content = Content()
    table: list[list[str]] | None = None
    level = 0
    for token in MarkdownIt("commonmark").enable("table").parse(_without_front_matter(decoded(data))):
        match token.type:
            case "heading_open":
                level = int(token.tag[1])
            case "inline" if table is not None:
                table[-1].append(_inline(token))
            case "inline":
                _add(content, _inline(token), level)
                level = 0
            case "fence" | "code_block":
                content.blocks.append(Block(token.content.rstrip(), Kind.LINES))
            case "html_block":
                content.blocks += html(token.content.encode()).blocks
            case "table_open":
                table = []
            case "tr_open" if table is not None:
                table.append([])
            case "table_close" if table is not None:
                content.blocks.append(Block(rows(table), Kind.LINES))
                table = None
    content.blocks = [block for block in content.blocks if block.text.strip()]
    return content


def _without_front_matter(text: str) -> str:
    if text.startswith("---\n") and (end := text.find("\n---\n", 4)) > 0:
        return text[end + 5 :]
    return text


def _inline(token: Token) -> str:
    parts = []
    for child in token.children or []:
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts).strip()


def _add(content: Content, text: str, level: int) -> None:
    if level:
        content.blocks.append(Block(text, Kind.HEADING, level))
        if level == 1 and not content.title:
            content.title = text
    else:
        content.blocks.append(Block(text))


def html(data: bytes) -> Content:
    """The visible text in reading order; scripts, styles and navigation are left out."""
    tree = LexborHTMLParser(decoded(data))
    title = tree.css_first("title")
    content = Content(title=" ".join(title.text().split()) if title else "")
    tree.strip_tags(_DROPPED)
    body = tree.body
    if body is not None:
        _walk(body, content)
    content.blocks = [block for block in content.blocks if block.text.strip()]
    return content


def _walk(root: LexborNode, content: Content) -> None:
    """Blocks are taken whole; what stands between them is a paragraph of its own. No recursion: HTML may be nested very deep."""
    open_nodes = [root.iter(include_text=True)]
    between: list[str] = []
    while open_nodes:
        node = next(open_nodes[-1], None)
        tag = node.tag or "" if node is not None else ""
        if node is None:
            _close(between, content)
            open_nodes.pop()
        elif tag == "-text":
            between.append(node.text_content or "")
        elif tag in _BLOCKS and (tag not in ("li", "blockquote", "dd") or node.css_first("p, li, table, pre") is None):
            _close(between, content)
            _take(node, tag, content)
        elif tag in _PARTS or node.css_first(_PARTING) is not None:
            _close(between, content)
            open_nodes.append(node.iter(include_text=True))
        else:
            between.append(" " if tag == "br" else node.text(separator=""))


def _close(between: list[str], content: Content) -> None:
    content.blocks.append(Block(" ".join("".join(between).split())))
    between.clear()


def _take(node: LexborNode, tag: str, content: Content) -> None:
    if tag == "table":
        table = [[cell.text(separator=" ") for cell in row.css("th, td")] for row in node.css("tr")]
        content.blocks.append(Block(rows(table), Kind.LINES))
    elif tag == "pre":
        content.blocks.append(Block(node.text().strip("\n"), Kind.LINES))
    elif tag in _HEADINGS:
        text = " ".join(node.text(separator=" ").split())
        content.blocks.append(Block(text, Kind.HEADING, _HEADINGS[tag]))
        content.title = content.title or text
    else:
        content.blocks.append(Block(" ".join(node.text(separator="").split())))
