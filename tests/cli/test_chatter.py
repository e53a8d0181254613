import os
import subprocess
import sys

SCRIPT = """
import os, sys
from graphfreeze.cli.chatter import without_chatter
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
print("before", file=sys.stderr)
with without_chatter() as stderr:
    os.write(2, b"I0000 00:00:1795373394.007842   18353 cudart_stub.cc:31] Could not find cuda\\n")
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are ...\\n")
    os.write(2, b"F0000 00:00:1795373394.007842   18353 cpu.cc:31] no AVX\\n")
    print("spinner", file=stderr, flush=True)
    print("python", file=sys.stderr)
    {end}
print("after", file=sys.stderr)
"""


def lines(end: str, **environment: str) -> list[str]:
    command = [sys.executable, "-c", SCRIPT.format(end=end)]
    told = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(command, check=False, stderr=-1, text=True, env={**told, **environment})
    return [line.split("] ")[-1] for line in done.stderr.splitlines()]


def test_only_chatter_is_dropped() -> None:
    told = lines("pass")
    assert (told[0], told[-1]) == ("before", "after")
    assert sorted(told[1:-1]) == ["no AVX", "python", "spinner"]


def test_last_words_are_kept() -> None:
    assert "no AVX" in lines("os.abort()")


def test_who_asks_for_logs_gets_them() -> None:
    assert "Could not find cuda" in lines("pass", TF_CPP_MIN_LOG_LEVEL="0")
