"""Chromium by its DevTools protocol: windows, navigation, a click, a picture of the page."""

import base64
import itertools
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import websocket

_START_SECONDS = 60


class Browser:
    """One headless Chromium whose profile is the directory `profile`."""

    def __init__(self, profile: str, secure_origin: str) -> None:
        self._process = subprocess.Popen(
            [
                "chromium",
                *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *("--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
                *("--disable-popup-blocking", "--mute-audio", "--autoplay-policy=no-user-gesture-required"),
                *("--renderer-process-limit=6", "--remote-debugging-port=0", f"--user-data-dir={profile}"),
                f"--unsafely-treat-insecure-origin-as-secure={secure_origin}",
                "about:blank",
            ],
            stderr=subprocess.DEVNULL,
        )
        port_file = Path(profile, "DevToolsActivePort")
        deadline = time.monotonic() + _START_SECONDS
        while not port_file.exists() or len(port_file.read_text().split()) < 2:
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.close()
                raise TimeoutError("Chromium opened no DevTools port")
            time.sleep(0.05)
        port, path = port_file.read_text().split()
        self._socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", suppress_origin=True, timeout=60)
        self._ids = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        """What the browser told by itself, of the domains that a window has enabled."""

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def call(self, method: str, window: str | None = None, **params: object) -> dict[str, Any]:
        message = {"id": next(self._ids), "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": window} if window else {})))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self) -> str:
        """A window of its own, because a tab behind another draws nothing and so loads less; its session."""
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        return str(self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def visit(self, window: str, url: str) -> None:
        self.call("Page.navigate", window, url=url)

    def show(self, window: str, url: str) -> None:
        """Visit, and wait until all of the page is there and drawn."""
        self.call("Page.enable", window)
        known = len(self.events)
        self.visit(window, url)
        while not any(
            event["method"] == "Page.loadEventFired" and event.get("sessionId") == window
            for event in self.events[known:]
        ):
            self.events.append(json.loads(self._socket.recv()))
        self.picture(window)

    def node(self, window: str, selector: str) -> int:
        """The first match of `selector`; 0 if there is none."""
        root = self.call("DOM.getDocument", window)["root"]["nodeId"]
        return self.call("DOM.querySelector", window, nodeId=root, selector=selector)["nodeId"]

    def width(self, window: str, selector: str) -> int:
        return self.call("DOM.getBoxModel", window, nodeId=self.node(window, selector))["model"]["width"]

    def style(self, window: str, selector: str) -> dict[str, str]:
        self.call("DOM.enable", window)
        self.call("CSS.enable", window)
        found = self.call("CSS.getComputedStyleForNode", window, nodeId=self.node(window, selector))
        return {each["name"]: each["value"] for each in found["computedStyle"]}

    def click(self, window: str, x: int, y: int) -> None:
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", window, type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def text(self, window: str) -> str:
        """The text of the page, by a snapshot: no script of ours has to run in it."""
        snapshot = self.call("DOMSnapshot.captureSnapshot", window, computedStyles=[])
        return "".join(
            snapshot["strings"][index]
            for page in snapshot["documents"]
            for index in page["layout"]["text"]
            if index >= 0
        )

    def picture(self, window: str) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", window)["data"])
