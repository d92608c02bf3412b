"""Charts as pictures, drawn in a process of its own: the drawing library ends its whole process on charts that it cannot draw.

One process draws for all threads, is started when the first chart is drawn, and ends with the one that started it. It reads a line
of JSON for each chart and writes a line with the length in bytes, and the picture; a negative length means words on what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, Literal, cast

from promptlab.nouns.errors import PromptlabError

Kind = Literal["svg", "png", "pdf"]
LONGEST_S = 60.0


class NotDrawn(PromptlabError):
    """A chart that cannot be drawn; its data are in the tables."""


_lock = threading.Lock()
_drawer: list[subprocess.Popen[bytes]] = []


def picture(chart: Mapping[str, Any] | str, kind: Kind) -> bytes:
    """A chart in Vega-Lite, or a drawing in SVG, as SVG text, as a PNG at twice its size or as a PDF.

    NotDrawn where that fails, whatever way it does.
    """
    order = json.dumps({"kind": kind, "chart": chart}).encode() + b"\n"
    with _lock:
        if not _drawer or _drawer[0].poll() is not None:
            _drawer[:] = [_started()]
        process = _drawer[0]
        into, out = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        timer = threading.Timer(LONGEST_S, process.kill)
        timer.start()
        try:
            into.write(order)
            into.flush()
            length = int(out.readline())
            found = out.read(abs(length))
            if len(found) != abs(length):
                raise OSError
        except (OSError, ValueError):
            process.kill()
            raise NotDrawn(f"the drawing ended with code {process.wait()}; is memory short?") from None
        finally:
            timer.cancel()
    if length < 0:
        raise NotDrawn(found.decode("utf-8", "replace"))
    return found


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", __file__]  # -P: the modules beside this one are not those of the standard library
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)  # noqa: S603


def main() -> None:
    """Draw until there is nothing more to draw."""
    import vl_convert

    def _drawn(svg: str, kind: str) -> bytes:
        return svg.encode() if kind == "svg" else vl_convert.svg_to_png(svg, scale=2) if kind == "png" else vl_convert.svg_to_pdf(svg)

    for line in sys.stdin.buffer:
        order = json.loads(line)
        try:
            chart = order["chart"]
            found = _drawn(chart if isinstance(chart, str) else vl_convert.vegalite_to_svg(chart), order["kind"])
            length = len(found)
        except Exception as error:  # of any kind: the page shows it
            found = str(error).encode("utf-8", "replace")[:500]
            length = -len(found)
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.buffer.write(b"%d\n%b" % (length, found))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
