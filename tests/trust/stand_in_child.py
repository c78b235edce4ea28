"""A child that crashes on input 17, hangs on 40, and answers 55 wrongly: for the tests of the hunter."""

import json
import os
import sys
import threading


def main() -> None:
    """Until standard input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        numbers = json.loads(line)
        if 17 in numbers:
            os.abort()
        if 40 in numbers:
            threading.Event().wait()
        wrong = "a good neighbour's answer changed" if 55 in numbers else None
        if 70 in numbers and 71 in numbers:
            wrong = "the two together"
        print(json.dumps({"wrong": wrong, "numbers": numbers}), flush=True)


if __name__ == "__main__":
    main()
