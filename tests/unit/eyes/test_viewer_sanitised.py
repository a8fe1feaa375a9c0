"""What is stored holds no element or attribute that could call out, however a page hides it from the sanitiser."""

from html.parser import HTMLParser

import pytest

from sequester.render import document

OUT = "http://out.example"
IMG = f"<img src={OUT}>"

# Parsers that disagree: elements whose text is not text, namespaces that change what `style` is, comments, encodings.
PAGES = {
    "style in mathml": f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src={OUT}&gt;">',
    "style in svg": f'<svg></p><style><a id="</style>{IMG}">',
    "form in form": f"<form><math><mtext></form><form><mglyph><style></math>{IMG}",
    "noscript": f'<noscript><p title="</noscript>{IMG}">',
    "xmp": f'<xmp><p title="</xmp>{IMG}">',
    "template": f"<template>{IMG}</template>",
    "shadow root": f"<div><template shadowrootmode=open>{IMG}</template></div>",
    "html in mathml": f"<math><annotation-xml encoding='text/html'><style>{IMG}</style></annotation-xml></math>",
    "html in svg": f"<svg><foreignObject><style><!--</style>{IMG}--></foreignObject></svg>",
    "cdata in svg": f"<svg><desc><![CDATA[{IMG}]]></desc></svg>",
    "cdata": f"<![CDATA[>{IMG}]]>",
    "processing instruction": f"<?xml-stylesheet href='{OUT}'?>",
    "UTF-7": f"<meta charset=utf-7>+ADw-img src+AD0-{OUT}+AD4-",
    "ISO-2022": f"\x1b$B{IMG}\x1b(B",
    "NUL": f"<im\x00g src={OUT}><\x00script src={OUT}>",
    "empty comment": f"<!-->{IMG}",
    "bang comment": f"<!--!>{IMG}-->",
    "slashes": f"<img/src={OUT}/>",
    "plain text": f"<plaintext>{IMG}",
    "deep": "<div>" * 5000 + IMG,
    "use": f"<svg><use href='{OUT}#x'/></svg>",
    "svg image": f"<svg><image xlink:href='{OUT}'/></svg>",
    "svg filter": f"<svg><filter id=a><feImage href='{OUT}'/></filter></svg>",
    "animated address": f"<svg><a><animate attributeName=href values='{OUT}'/></a></svg>",
    "mathml glyph": f"<math><mglyph src={OUT}></math>",
    "mathml action": f"<math><maction xlink:href='{OUT}'>x</maction></math>",
    "style": f"<p style='background:url({OUT})'>",
    "background": f"<table background={OUT}>",
    "srcset": f"<img srcset='{OUT} 1x'>",
    "picture": f"<picture><source srcset={OUT}></picture>",
    "poster": f"<video poster={OUT}>",
    "track": f"<video><track default src={OUT}></video>",
    "image button": f"<input type=image src={OUT}>",
    "object": f"<object data={OUT}></object>",
    "embed": f"<embed src={OUT}>",
    "base": f"<base href={OUT}><img src=x>",
    "preload": f"<link rel=preload as=image href={OUT}>",
    "marquee": f"<marquee onstart=fetch('{OUT}')>",
    "toggle": f"<details open ontoggle=fetch('{OUT}')>",
    "ping": f"<a ping={OUT} href=x>y</a>",
    "attribution": f"<a attributionsrc={OUT} href=x>y</a>",
    "portal": f"<portal src={OUT}></portal>",
    "frame": f"<frameset><frame src={OUT}></frameset>",
    "citation": f"<blockquote cite={OUT}>x</blockquote><q cite={OUT}>x</q>",
    "selected content": f"<select><button><selectedcontent></button><option>{IMG}</select>",
}
MARKDOWN = {
    "image": f"![x]({OUT})",
    "image by reference": f"![x][1]\n\n[1]: {OUT}",
    "html": IMG,
    "html in a link": f"[{IMG}](x)",
    "html in a title": f'![a](x "\\">{IMG}")',
    "html in a table": f"|a|\n|-|\n|{IMG}|",
    "open fence": f"```\n{IMG}\n",
    "bracketed address": f"<{OUT}>",
    "script by entity": f"[x](java&#115;cript:fetch('{OUT}'))",
    "many brackets": "[" * 20_000 + IMG,
    "many quotes": ">" * 20_000 + IMG,
}


class Calls(HTMLParser):
    """Whatever in a document names the address outside of its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = [f"{tag} {key}" for key, value in attrs if "out.example" in (value or "") and key != "title"]
        self.found += named + [f"{tag} {key}" for key, _ in attrs if key.startswith("on")]
        if tag in ("svg", "math", "template", "noscript", "xmp", "plaintext", "script"):
            self.found.append(tag)  # text there is not text to every parser


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_no_element_of_a_page_calls_out(page: str, coding: str) -> None:
    stored = document(page.encode(coding), "text/html")
    assert stored.disposition == "inline"
    assert Calls(stored.body.decode("utf-8", "replace")).found == []


@pytest.mark.parametrize("text", MARKDOWN.values(), ids=MARKDOWN)
def test_no_element_of_markdown_calls_out(text: str) -> None:
    assert Calls(document(text.encode(), "text/markdown").body.decode()).found == []


def test_without_the_sanitiser_they_do() -> None:
    assert sum(bool(Calls(page).found) for page in PAGES.values()) > 35
