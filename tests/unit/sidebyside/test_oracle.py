"""The oracle's pure parts: script, normalisation, comparison, allowed differences."""

from pathlib import Path

import pytest
from oracle import allowed, events, normal
from oracle.compare import ABSENT, Difference, Outcome, differences, document
from oracle.script import Command, ScriptError, parse

ID, OTHER = "0123456789ab" + "c" * 52, "f" * 12 + "0" * 52


def test_script_lines_comments_and_continuations() -> None:
    text = "# a comment\nfirst: docker ps\n\nsecond: cat <<< x;\n    echo y\n"
    assert parse("s", text) == [Command("s", "first", "docker ps"), Command("s", "second", "cat <<< x;\necho y")]
    assert parse("s", text)[0].key == "s/first"


@pytest.mark.parametrize("text", ["docker ps", "Name: x", "  indented first", "a: x\na: y"])
def test_script_errors(text: str) -> None:
    with pytest.raises(ScriptError):
        parse("s", text)


def test_ids_are_numbered_and_short_ones_belong_to_full_ones() -> None:
    assert normal.ids(f"{ID} {OTHER} {ID[:12]}") == "<id 1> <id 2> <short 1>"
    assert normal.ids(f"sha256:{ID}", {ID}) == f"sha256:{ID}"
    assert normal.ids("abcdefabcdef0 xabcdefabcdef") == "abcdefabcdef0 xabcdefabcdef"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024-01-01T10:00:00.123456789Z", "<time>"),
        ("2024-01-01 10:00:00 +0000 UTC", "<time>"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("Up 3 seconds (Paused)", "Up <span> (Paused)"),
        ("Exited (0) Less than a second ago", "Exited (0) <span> ago"),
        ("2 years ago", "2 years ago"),
    ],
)
def test_times(text: str, wanted: str) -> None:
    assert normal.times(text) == wanted


def test_folders_links_and_blanks() -> None:
    assert normal.folders("/tmp/x/data/overlay2 /tmp/x/exec /tmp/x/w", "/tmp/x") == "<data>/overlay2 <exec> <root>/w"
    assert normal.links("/overlay2/l/" + "A2" * 13 + " veth0123abc") == "/overlay2/l/<link> <veth>"
    assert normal.blanks("A    B  \r\nx   y") == "A  B\nx  y"


def test_random_names() -> None:
    assert normal.is_random_name("eager_curie") and normal.is_random_name("eager_curie2")
    assert not normal.is_random_name("web")


def test_documents_are_compared_by_path() -> None:
    left = Outcome(0, '[{"A": {"B": 1}, "L": [1, 2], "State": {"Pid": 12}}]', "")
    right = Outcome(0, '[{"A": {"B": 2, "C": null}, "L": [1], "State": {"Pid": 99}}]', "")
    assert differences(left, right) == [
        Difference("stdout $[0].A.B", "1", "2"),
        Difference("stdout $[0].A.C", ABSENT, "null"),
        Difference("stdout $[0].L", "[1, 2]", "[1]"),
    ]


def test_a_volatile_number_must_be_set_on_both_sides() -> None:
    assert differences(Outcome(0, '{"Pid": 12}', ""), Outcome(0, '{"Pid": 0}', "")) != []


def test_true_is_not_one() -> None:
    assert differences(Outcome(0, '{"A": true}', ""), Outcome(0, '{"A": 1}', "")) != []


def test_texts_are_compared_by_line_and_the_exit_code_too() -> None:
    found = differences(Outcome(1, "a\nb\n", "e"), Outcome(0, "a\nc\nd\n", "e"))
    assert found == [Difference("exit", "1", "0"), Difference("stdout", "b", "c"), Difference("stdout", ABSENT, "d")]


def test_lines_of_json_are_documents_and_plain_words_are_not() -> None:
    assert document('{"a": 1}\n{"a": 2}') == [{"a": 1}, {"a": 2}]
    assert document("1\n2") is None and document("words") is None and document("[]") is None


def test_events_by_actor() -> None:
    line = (
        '{"Type": "container", "Action": "die", "Actor": {"ID": "%s", "Attributes": '
        '{"name": "%s", "exitCode": "1", "execDuration": "3"}}}'
    )
    lines = [line % (ID, "web"), line % (OTHER, "eager_curie")]
    told = events.sequences(lines, lambda text: normal.ids(text))
    assert told == {
        "container web": ["die execDuration=<n> exitCode=1"],
        "container <random name>": ["die execDuration=<n> exitCode=1"],
    }
    stop = lines[0].replace('"die"', '"stop"')
    assert events.sequences([stop, lines[0]], str)["container web"][-1][:4] == "stop", "die and stop are told in either order"
    network = (
        f'{{"Type": "network", "Action": "connect", "Actor": {{"ID": "{OTHER}", "Attributes": '
        f'{{"name": "bridge", "container": "{ID}", "type": "bridge"}}}}}}'
    )
    assert events.sequences([network, lines[0]], str)["network bridge of web"] == ["connect type=bridge"]
    gone = {**told, "container web": []}
    assert [d.where for d in events.differences(told, gone)] == ["events container web"]


def test_allowed_entries(tmp_path: Path) -> None:
    file = tmp_path / "allowed.toml"
    file.write_text(
        '[[difference]]\ncommand = "create/*"\nwhere = "stdout $[*].Name"\nours = "\\"x.*"\nversion = "26\\\\..*"\n'
        'reason = "a reason of four words"\n'
    )
    (entry,) = allowed.read(file)
    difference = Difference("stdout $[0].Name", '"a"', '"xy"')
    assert entry.covers("create/plain", difference, "26.1.5")
    assert not entry.covers("create/plain", difference, "20.10.24")
    assert not entry.covers("run/plain", difference, "26.1.5")
    assert not entry.covers("create/plain", Difference("exit", "0", '"xy"'), "26.1.5")


@pytest.mark.parametrize("text", ['command = "a"\nreason = "short"', 'reason = "long enough to be one"', "x = 1"])
def test_an_entry_without_command_or_reason_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "allowed.toml"
    file.write_text(f"[[difference]]\n{text}\n")
    with pytest.raises(ValueError):
        allowed.read(file)


def test_the_checked_in_entries_are_well_formed() -> None:
    folder = Path(__file__).parents[2] / "sidebyside"
    assert [allowed.read(folder / name) for name in ("allowed.toml", "open.toml")]
