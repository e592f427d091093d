#!/usr/bin/env python3
"""The page of `varve diff --html` in a real browser, Chromium; its HTML by tidy."""
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

from lib import end, ok, run

LAYERS, SIDE = 8, 16


def write(path, tensors):
    off, head, body = 0, {}, b""
    for name, values in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        head[name] = {"dtype": "F32", "shape": [SIDE, len(values) // SIDE], "data_offsets": [off, off + len(data)]}
        off, body = off + len(data), body + data
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)


def models(d):
    old, new, state = {}, {}, 1
    for layer in range(LAYERS):
        for kind in ("attn.q", "attn.v", "mlp.up"):
            name = f"model.layers.{layer}.{kind}.weight"
            old[name], new[name] = [], []
            for _ in range(SIDE * SIDE):
                state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
                old[name].append((state >> 40) / 2**24 - 0.5)
                new[name].append(old[name][-1] * (1 + layer / 50) + ((state >> 20) % 1000 / 1e5 if kind == "attn.v" else 0))
    for name in ("<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">", "\"'&lt;`|\\"):
        old[name], new[name] = [1.0] * SIDE, [1.5] * SIDE
    write(f"{d}/old.safetensors", old)
    write(f"{d}/new.safetensors", new)


def browse(chromium, d, *more):
    """One page load: a new profile, no network."""
    return subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={d}/profile",
                           "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0", *more,
                           f"file://{d}/r.html"], capture_output=True, text=True, timeout=180, cwd=d)


def unfiltered(raw, width, height, channels):
    """The rows of a PNG, after its five filters."""
    stride, above = width * channels, bytearray(width * channels)
    for y in range(height):
        how, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride if how else 0):
            left, up = row[i - channels] if i >= channels else 0, above[i]
            corner = above[i - channels] if i >= channels else 0
            if how == 4:
                p = left + up - corner
                near = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
            else:
                near = (0, left, up, (left + up) // 2)[how]
            row[i] = (row[i] + near) & 255
        yield row
        above = row


def colours(path):
    """Width, height, and how often each colour is there, of a PNG of 8 bits for each of 3 or 4 channels."""
    with open(path, "rb") as f:
        data = f.read()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    channels, at, packed, n = {2: 3, 6: 4}[kind], 8, b"", {}
    assert depth == 8
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    for row in unfiltered(zlib.decompress(packed), width, height, channels):
        for x in range(0, len(row), channels):
            rgb = row[x:x + 3].hex()
            n[rgb] = n.get(rgb, 0) + 1
    return width, height, n


def check_page(chromium, d):
    r = browse(chromium, d, "--dump-dom")
    dom = r.stdout
    console = [line for line in r.stderr.splitlines() if "CONSOLE" in line]
    ok(r.returncode == 0 and dom.rstrip().endswith("</html>"), "the browser loads it", r.stderr[-500:])
    ok(not console, "nothing on the console", "\n".join(console))
    title = re.search(r"<title>([^<]*)</title>", dom)
    ok(title and title.group(1) == "Model changes: old.safetensors new.safetensors" and "<script" not in dom and "<img" not in dom,
       "names stay text", title)
    ok(len(re.findall(r'<tr><th scope="row">\d+</th>', dom)) == LAYERS and dom.count("<figure>") == 6, "layers and histograms are there")
    ok(dom.count("<svg ") == dom.count("</svg>") == 12, "pictures are whole")


def check_looks(chromium, d):
    paper = {}
    for name, scheme in (("light", "1"), ("dark", "0")):
        browse(chromium, d, "--window-size=700,900", f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={d}/{name}.png")
        width, height, n = colours(f"{d}/{name}.png")
        paper[name] = max(n, key=n.get)
        ok((width, height) == (700, 900) and len(n) > 50, f"{name}: a picture with colours", len(n))
        strongest = {"light": "143775", "dark": "bcd5f8"}[name]
        ok(n.get(strongest, 0) > 300, f"{name}: the strongest colour of the heat map", n.get(strongest))
    ok(paper == {"light": "ffffff", "dark": "12161c"}, "light and dark as the reader likes it", paper)
    r = browse(chromium, d, f"--print-to-pdf={d}/r.pdf")
    ok(os.path.exists(f"{d}/r.pdf") and os.path.getsize(f"{d}/r.pdf") > 10000, "it prints", r.stderr[-300:])


chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
tidy = shutil.which("tidy")
if not chromium and not tidy:
    print("1..0 # skip neither chromium nor tidy is here")
    raise SystemExit(0)
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as d:
    models(d)
    r = run("varve", "diff", "--no-index", "old.safetensors", "new.safetensors", "--html", "r.html", cwd=d)
    ok(r.returncode == 0, "varve writes the page", r.stderr)
    if tidy:
        r = run(tidy, "-q", "-e", "--show-info", "no", "r.html", cwd=d)
        ok(not r.stderr.strip(), "tidy finds nothing", r.stderr)
    else:
        ok(True, "tidy # skip it is not here")
    if chromium:
        check_page(chromium, d)
        check_looks(chromium, d)
    else:
        ok(True, "the browser # skip chromium is not here")
end()
