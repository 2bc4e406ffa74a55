"""The container manager: state machine, exec, attach, logs, stats."""
