"""The response headers of the viewer's origin: one table for CloudFront, the wrapped document and the tests.

Standard library only, because ``infra.viewer`` reads it too.
"""

import base64
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STYLESHEET: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
body { overflow-wrap: anywhere; }
pre, code { font: 0.9em ui-monospace, monospace; background: #8882; }
pre { padding: 0.75rem; overflow: auto; }
pre code { background: none; }
table { border-collapse: collapse; }
th, td { border: 1px solid; padding: 0.25rem 0.5rem; text-align: left; }
blockquote { margin-left: 0; padding-left: 1rem; border-left: 3px solid; }
img { max-width: 100%; }
a { text-decoration: underline dotted; }
a[title]::after { content: " (" attr(title) ")"; font-size: 0.85em; opacity: 0.75; }
"""
"""Ours alone, allowed by its hash. A link shows where it leads and leads nowhere: see ``sanitize``."""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLESHEET.encode()).digest()).decode()

_FETCHES: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "style-src": f"'sha256-{_STYLE_HASH}'",
    "img-src": "data:",  # pictures come along inside the document, or not at all
    "base-uri": "'none'",
    "form-action": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
    "webrtc": "'block'",
}
_ONLY_IN_A_HEADER: Final[Mapping[str, str]] = {  # the HTML standard ignores these in <meta>
    "frame-ancestors": "'none'",
    "sandbox": "",
}

# Each is a way to sense or to send that no shown document needs.
_FEATURES: Final = (
    "accelerometer",
    "ambient-light-sensor",
    "attribution-reporting",
    "autoplay",
    "bluetooth",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "clipboard-write",
    "compute-pressure",
    "cross-origin-isolated",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "identity-credentials-get",
    "idle-detection",
    "join-ad-interest-group",
    "keyboard-map",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "otp-credentials",
    "payment",
    "picture-in-picture",
    "private-state-token-issuance",
    "private-state-token-redemption",
    "publickey-credentials-create",
    "publickey-credentials-get",
    "run-ad-auction",
    "screen-wake-lock",
    "serial",
    "shared-storage",
    "storage-access",
    "sync-xhr",
    "unload",
    "usb",
    "web-share",
    "window-management",
    "xr-spatial-tracking",
)


def _policy(directives: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}".rstrip() for name, value in directives.items())


META_CSP: Final = _policy(_FETCHES)
"""What a ``<meta>`` can carry of the policy, for documents that live in another site's page."""

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": _policy({**_FETCHES, **_ONLY_IN_A_HEADER}),
        # Chromium's allowlist for everything a document can connect to, hints and WebRTC included: empty.
        "Connection-Allowlist": "()",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Origin-Agent-Cluster": "?1",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-DNS-Prefetch-Control": "off",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }
)
"""Header name to value, for every response of the viewer's origin."""

REMOVED_HEADERS: Final = (
    "Link",
    "Refresh",
    "Set-Cookie",
    "Speculation-Rules",
    "Service-Worker-Allowed",
    "Report-To",
    "NEL",
)
"""What would fetch, navigate or identify by itself, whatever the store answers (CloudFront: ten at most)."""
