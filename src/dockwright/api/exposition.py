"""Numbers in Prometheus' text format.

Source: prometheus.io, "Exposition formats", version 0.0.4; names and texts observed with dockerd 26.1.5.
"""

from collections.abc import Mapping

from dockwright.base.measures import BUCKETS, Histogram, Timers

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
# fmt: off
HELP = {
    "builder_builds_failed_total": ("counter", "Number of failed image builds"),
    "builder_builds_triggered_total": ("counter", "Number of triggered image builds"),
    "engine_daemon_container_actions_seconds": ("histogram", "The number of seconds it takes to process each container action"),
    "engine_daemon_container_states_containers": ("gauge", "The count of containers in various states"),
    "engine_daemon_engine_cpus_cpus": ("gauge", "The number of cpus that the host system of the engine has"),
    "engine_daemon_engine_info": ("gauge", "The information related to the engine and the OS it is running on"),
    "engine_daemon_engine_memory_bytes": ("gauge", "The number of bytes of memory that the host system of the engine has"),
    "engine_daemon_events_subscribers_total": ("gauge", "The number of current subscribers to events"),
    "engine_daemon_events_total": ("counter", "The number of events logged"),
    "engine_daemon_health_check_start_duration_seconds": (
        "histogram", "The number of seconds it takes to prepare to run health checks",
    ),
    "engine_daemon_health_checks_failed_total": ("counter", "The total number of failed health checks"),
    "engine_daemon_health_checks_total": ("counter", "The total number of health checks"),
    "engine_daemon_network_actions_seconds": ("histogram", "The number of seconds it takes to process each network action"),
    "process_cpu_seconds_total": ("counter", "Total user and system CPU time spent in seconds."),
    "process_max_fds": ("gauge", "Maximum number of open file descriptors."),
    "process_open_fds": ("gauge", "Number of open file descriptors."),
    "process_resident_memory_bytes": ("gauge", "Resident memory size in bytes."),
    "process_start_time_seconds": ("gauge", "Start time of the process since unix epoch in seconds."),
    "process_virtual_memory_bytes": ("gauge", "Virtual memory size in bytes."),
}
# fmt: on


def family(name: str, values: float | Mapping[str, float]) -> str:
    """One metric of HELP: a number, or one for each set of labels (as `labels` makes them)."""
    given = values if isinstance(values, Mapping) else {"": values}
    return _header(name) + "".join(f"{name}{shown} {_number(value)}\n" for shown, value in given.items())


def timers(name: str, given: Timers) -> str:
    """Histograms by action."""
    parts = (_histogram(name, histogram, {"action": action}) for action, histogram in sorted(given.histograms.items()))
    return _header(name) + "".join(parts)


def histogram(name: str, given: Histogram) -> str:
    """One histogram."""
    return _header(name) + _histogram(name, given, {})


def labels(**given: str) -> str:
    """A set of labels."""
    shown = (f'{name}="{_escaped(value)}"' for name, value in given.items())
    return "{" + ",".join(shown) + "}" if given else ""


def _histogram(name: str, given: Histogram, own: Mapping[str, str]) -> str:
    lines, total = [], 0
    for bound, count in zip((*map(_number, BUCKETS), "+Inf"), given.counts, strict=True):
        total += count
        lines.append(f"{name}_bucket{labels(**own, le=bound)} {total}\n")
    shown = labels(**own)
    return "".join((*lines, f"{name}_sum{shown} {_number(given.sum)}\n", f"{name}_count{shown} {total}\n"))


def _header(name: str) -> str:
    kind, text = HELP[name]
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
