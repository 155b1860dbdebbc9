#!/usr/bin/env python3
"""Chromium loads a page of our port, and the page opens a WebSocket to that port: ws and wss.

    chromium_test.py --pipe PROGRAM     certificates in CERTIFICATES
"""

import argparse
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 60
# It tells how that went by a request to the same port. A second WebSocket sends text, which is refused.
PAGE = """<!doctype html><title>bytes</title><script>
const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7 + (i >> 8))
const tell = (text) => fetch('/told', { method: 'POST', body: text })
const address = location.origin.replace('http', 'ws') + '/bytes'
const socket = new WebSocket(address)
socket.binaryType = 'arraybuffer'
let got = []
socket.onopen = () => { for (let i = 0; i < bytes.length; i += 50_001) socket.send(bytes.subarray(i, i + 50_001)) }
socket.onmessage = ({ data }) => {
  got.push(...new Uint8Array(data))
  if (got.length >= bytes.length) socket.close(1000)
}
socket.onclose = ({ code, wasClean }) => {
  const same = got.length === bytes.length && got.every((byte, i) => byte === bytes[i])
  const other = new WebSocket(address)
  other.onopen = () => other.send('text')
  other.onclose = (event) => tell(`${same ? 'same' : 'other'} ${code} ${wasClean}, text ${event.code}`)
}
</script>
"""


def lines_of(stream):
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line.strip()) for line in stream], daemon=True).start()
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipe", required=True)
    options = parser.parse_args()

    def browse(scheme):
        with tempfile.TemporaryDirectory(prefix="sealwire-chromium-", ignore_cleanup_errors=True) as folder:
            page = pathlib.Path(folder) / "page.html"
            page.write_text(PAGE)
            server = subprocess.Popen([options.pipe, "listen", scheme, page], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            told = lines_of(server.stdout)
            address = told.get(timeout=PATIENCE_S).replace("ws", "http", 1).removesuffix("/bytes") + "/"
            # Our test certificate is of no CA that it knows; the sandbox wants another user than root.
            browser = None
            try:
                browser = subprocess.Popen(
                    ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--ignore-certificate-errors",
                     f"--user-data-dir={folder}/profile", address],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                said = lines_of(browser.stderr)
                result = told.get(timeout=PATIENCE_S)
            except queue.Empty:
                result = "nothing, and Chromium said " + " | ".join(list(said.queue)[-5:])
            finally:
                if browser:
                    browser.terminate()  # its own processes end with it
                    browser.wait(PATIENCE_S)
                server.stdin.close()
                server.wait(PATIENCE_S)
        if result != "same 1000 true, text 1003":
            yield f"the page told {result}"

    return tap.run({f"{scheme}: a page of our port gets its bytes back over a WebSocket, and is refused text": lambda s=scheme: browse(s)
                    for scheme in ("ws", "wss")})


if __name__ == "__main__":
    sys.exit(main())
