"""What came out of a suite, as text that can be checked in and compared."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

Results = dict[str, tuple[str, str]]  # test -> (outcome, reason)
_OUTCOMES = {"failure": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}


def of_junit(path: Path) -> Results:
    """The outcome of each test in pytest's JUnit report: PASSED, FAILED, ERROR or SKIPPED, and why."""
    results: Results = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.integration.')}::{case.get('name')}"
        found = next((child for child in case if child.tag in _OUTCOMES), None)
        if found is None:
            results.setdefault(name, ("PASSED", ""))
        else:
            outcome = "XFAIL" if found.get("type") == "pytest.xfail" else _OUTCOMES[found.tag]
            results[name] = (outcome, _reason(found.get("message") or ""))
    return results


def _reason(message: str) -> str:
    """One line without what differs from run to run."""
    line = " ".join(message.split())
    line = re.sub(r"\b[0-9a-f]{64}\b", "ID", line)
    line = re.sub(r"http\+docker://\S+", "URL", line)
    return re.sub(r"/tmp/\w+", "/tmp/X", line)[:200]


def text(heading: str, results: Results) -> str:
    """The file that is checked in: a heading, then a line per test."""
    counts = Counter(outcome for outcome, _ in results.values())
    total = ", ".join(f"{count} {outcome.lower()}" for outcome, count in sorted(counts.items()))
    lines = [f"# {heading}", f"# {total}", ""]
    lines += [f"{outcome} {name}  {reason}".rstrip() for name, (outcome, reason) in sorted(results.items())]
    return "\n".join(lines) + "\n"


def passed_in(path: Path) -> set[str]:
    """The tests that a checked-in file says have passed."""
    return {line.split()[1] for line in path.read_text().splitlines() if line.startswith("PASSED ")}


def missed(results: Results, baseline: set[str]) -> dict[str, tuple[str, str]]:
    """What of the baseline was run and did not pass."""
    return {name: found for name, found in results.items() if found[0] != "PASSED" and name in baseline}
