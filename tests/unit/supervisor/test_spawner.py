"""Programs that the daemon runs."""

from dockwright.supervisor import spawner


def test_a_program_starts_with_no_signal_ignored() -> None:
    """Python ignores SIGPIPE, and who starts the daemon may ignore more."""
    code, output, _ = spawner.run_now([spawner.find("grep"), "SigIgn", "/proc/self/status"])
    assert code == 0 and int(output.split()[1], 16) & ~0x180000000 == 0  # 32 and 33 are the C library's own
