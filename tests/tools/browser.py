"""Opens pages in headless Chromium and reports what a reader would see, as JSON.

browser.py PAGE OUT: at phone and desktop width, light and dark, and with printing. OUT receives screenshots. The
protocol goes over Chromium's debugging pipe (file descriptors 3 and 4, messages ended by NUL), so no package is needed.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

PROFILES = [("phone-light", 390, 844, False), ("phone-dark", 390, 844, True), ("narrow-light", 360, 740, False),
            ("desktop-light", 1280, 900, False), ("desktop-dark", 1280, 900, True)]


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


class Browser:
    def __init__(self, profile):
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()

        def place():
            high = [os.dup(to_read), os.dup(to_write)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]

    def receive(self, until):
        while b"\0" not in self.buffer:
            if not select.select([self.read_end], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("Chromium did not answer")
            got = os.read(self.read_end, 1 << 20)
            if not got:
                raise EOFError("Chromium ended")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 60
        while True:
            answer = self.receive(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, event):
        until = time.monotonic() + 60
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.receive(until))

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url="about:blank")
        self.wait("Page.loadEventFired")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (OSError, EOFError, TimeoutError):
            self.process.kill()
        self.process.wait()


def console(events):
    """Errors and warnings of the page, and requests to anything but the page itself."""
    messages, requests = [], []
    for event in events:
        method, p = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            messages.append(p["exceptionDetails"].get("exception", {}).get("description", p["exceptionDetails"]["text"]))
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            messages.append(" ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            messages.append(p["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            requests.append(p["request"]["url"])
    return messages, requests


STATE = """(() => {
  const root = document.documentElement, d = root.dataset;
  const hidden = (e) => { const r = e.getBoundingClientRect(); return r.width === 0 || r.height === 0; };
  return {
    charts: Number(d.charts ?? -1), blank: Number(d.blank ?? -1), problems: d.problems ?? "none recorded",
    overflow: root.scrollWidth - root.clientWidth,
    canvases: document.querySelectorAll('canvas').length,
    hidden: [...document.querySelectorAll('canvas')].filter(hidden).length,
    labelled: [...document.querySelectorAll('canvas')].filter(c => c.getAttribute('aria-label')).length,
    tables: document.querySelectorAll('figure table').length,
    background: getComputedStyle(document.body).backgroundColor,
    verdictBottom: Math.round(document.querySelector('.headline').getBoundingClientRect().bottom),
    summaryBottom: Math.round(document.querySelector('.summary').getBoundingClientRect().bottom),
    shift: window.__shift ?? 0,
    alerted: window.__alerted ?? false,
    height: root.scrollHeight
  };
})()"""

FIGURES = """[...document.querySelectorAll('data[data-key]')].map(e =>
  [e.dataset.key, e.value, Number(e.dataset.scale), e.textContent])"""

WATCH = """window.__shift = 0; window.alert = () => { window.__alerted = true; };
new PerformanceObserver(list => { for (const e of list.getEntries()) window.__shift += e.value; })
  .observe({type: 'layout-shift', buffered: true});"""


def look(browser, url, out):
    results = {}
    for name, width, height, dark in PROFILES:
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=2 if width < 500 else 1, mobile=width < 500)
        browser.call("Emulation.setEmulatedMedia", media="screen",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        browser.open(url)
        state = browser.value(STATE)
        state["console"], state["requests"] = console(browser.events)
        for kind, full in (("first", False), ("whole", True)):
            if full and name == "narrow-light":
                continue
            size = {"x": 0, "y": 0, "width": width, "height": min(state["height"], 16000), "scale": 1}
            shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=full,
                                **({"clip": size} if full else {}))
            with open(os.path.join(out, f"{name}-{kind}.png"), "wb") as file:
                file.write(base64.b64decode(shot["data"]))
        results[name] = state
    results["figures"] = browser.value(FIGURES)
    results["text"] = browser.value("document.body.innerText")
    return results


def without_scripts(browser, url):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(url)
    seen = browser.value("""({plots: [...document.querySelectorAll('.plot')].filter(e => e.offsetHeight > 0).length,
        tables: document.querySelectorAll('figure table').length})""")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    return seen


def printed(browser, url, out):
    browser.call("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.open(url)
    pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    with open(os.path.join(out, "page.pdf"), "wb") as file:
        file.write(pdf)
    return {"bytes": len(pdf), "console": console(browser.events)[0]}


def main():
    if chromium() is None:
        print(json.dumps({"missing": "chromium"}))
        return
    page, out = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(domain + ".enable")
            browser.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            url = "file://" + page
            result = look(browser, url + "#self-test", out)
            result["no_scripts"] = without_scripts(browser, url)
            result["print"] = printed(browser, url, out)
        finally:
            browser.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
