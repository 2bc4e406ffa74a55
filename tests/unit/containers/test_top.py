"""The output of ps, cut to a container's processes."""

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.containers import top

OUTPUT = """UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:00 init
root          42       1  0 10:00 ?        00:00:00 sleep  1000
nobody        43      42  0 10:00 ?        00:00:00 sh -c echo a b
"""


def test_the_rows_of_these_processes() -> None:
    found = top.parse(OUTPUT, {"42", "43"})
    assert found["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert [row[-1] for row in found["Processes"]] == ["sleep  1000", "sh -c echo a b"]
    assert all(len(row) == 8 for row in found["Processes"])


def test_threads_go_with_their_process() -> None:
    output = "PID LWP CMD\n42 - sleep\n- 42 -\n- 44 -\n50 - other\n- 50 -\n"
    assert len(top.parse(output, {"42"})["Processes"]) == 3


def test_output_without_the_column() -> None:
    with pytest.raises(Internal, match="Couldn't find PID field in ps output"):
        top.parse("CMD\nsleep\n", {"42"})


@pytest.mark.parametrize("text", ["-o x=PID", "-o  y=  PID,cmd"])
def test_another_name_for_the_column(text: str) -> None:
    with pytest.raises(InvalidParameter, match="is not allowed"):
        top.arguments(text)


def test_the_default() -> None:
    assert top.arguments("") == ["-ef"]
    assert top.arguments("-o pid,cmd") == ["-o", "pid,cmd"]
    assert top.arguments("-o pid=pid") == ["-o", "pid=pid"]
