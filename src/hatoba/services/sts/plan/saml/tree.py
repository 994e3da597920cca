"""Bytes → a tree, with nothing in it that a parser would have to fetch or to multiply. Pure.

No document type, and so no entities; UTF-8, whatever a declaration says, so that what is looked at here is what the
parser reads; no comments, which could cut a name in two for whoever reads on.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from hatoba.services.sts.plan.saml.words import UNREADABLE, BadAssertion

Element = Any  # of lxml


def parser() -> Any:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def parsed(data: bytes) -> Element:
    """The root. Raises `BadAssertion`."""
    try:
        if "<!" in _outside_cdata(data.decode()):
            raise BadAssertion(UNREADABLE)
        root = etree.fromstring(data, parser())
    except (UnicodeDecodeError, ValueError, etree.XMLSyntaxError) as error:
        raise BadAssertion(UNREADABLE) from error
    if root is None or root.getroottree().docinfo.doctype:
        raise BadAssertion(UNREADABLE)
    return root


def _outside_cdata(text: str) -> str:
    """Without the marks of character data and comments: what is left of `<!` declares something."""
    return text.replace("<![CDATA[", "").replace("<!--", "")


def all_text(element: Element | None) -> str:
    """All of it, also where something stands in between."""
    return "" if element is None else "".join(element.itertext()).strip()
