"""Searches texts for patterns that files name, in a process that the kernel ends where one takes too long. Started by `patterns`."""

import json
import re
import resource
import signal
import sys

MEMORY_BYTES = 2**30


def main(cpu_s: float) -> None:
    """One line of JSON in, `[pattern, text]`, and one out: `[what the first group or match is, null]`,
    `[null, null]` where there is no match, or `[null, what is wrong]`."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, cpu_s)  # its signal ends this process, in the midst of a search too
        pattern, text = json.loads(line)
        try:
            compiled = re.compile(pattern)
            match = compiled.search(text)
            answer = [(match[min(compiled.groups, 1)] or "") if match else None, None]
        except (re.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
            answer = [None, str(error) or type(error).__name__]
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]))
