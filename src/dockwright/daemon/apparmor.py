"""AppArmor's profile docker-default: loaded when the daemon starts, on hosts that have AppArmor (DECISIONS 6).

Sources: apparmor.d(5) for the rules, apparmor_parser(8). What it denies is what Docker's profile of that name denies:
writing to the kernel's own files below /proc and /sys, mounting, and looking into processes outside.
"""

import logging

from dockwright.containers.confinement import DEFAULT
from dockwright.host import security
from dockwright.host.files import HostFiles
from dockwright.supervisor import spawner

log = logging.getLogger("dockwright.apparmor")
LOADED = "/sys/kernel/security/apparmor/profiles"
# no includes: they are the distribution's, and need not be installed
PROFILE = """
profile docker-default flags=(attach_disconnected, mediate_deleted) {
  network,
  capability,
  file,
  umount,

  signal (receive) peer=unconfined,
  signal (send, receive) peer=docker-default,
  ptrace (trace, read, tracedby, readby) peer=docker-default,

  deny mount,

  # files of the kernel: of /proc only the processes' own may be written, and System V's and POSIX's limits
  deny /proc/* w,
  deny /proc/[^0-9st]*/** w,
  deny /proc/{scsi,tty,timer_list}/** w,
  deny /proc/sys/[^k]*/** w,
  deny /proc/sys/kernel/{,[^ms],[^ms]*,[^ms]*/**} w,
  deny /proc/sys/kernel/{m[^s]*,s[^eh]*,se[^m]*,sh[^m]*} w,
  deny /proc/sys/kernel/{seccomp,s[^eh]*}/** w,
  deny /proc/{sysrq-trigger,kcore,kmem,mem} rwklx,

  # of /sys only cgroups
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/{firmware,kernel/security,devices/virtual/powercap}/** rwklx,
}
"""


async def load_default(files: HostFiles | None = None) -> bool:
    """Load docker-default unless it is there already; answers whether it is there now.

    A host without AppArmor needs none. Where it cannot be loaded containers go unconfined by AppArmor, and a warning
    says so.
    """
    files = files or HostFiles()
    if not security.apparmor(files):
        return False
    if any(line.split(" ")[0] == DEFAULT for line in files.text(LOADED).splitlines()):
        return True
    parser = spawner.find("apparmor_parser")
    if not parser:
        log.warning("AppArmor is enabled, but apparmor_parser is not installed: %s cannot be loaded", DEFAULT)
        return False
    status, _, error = await spawner.run([parser, "--replace", "--skip-cache"], PROFILE.encode(), deadline=30)
    if status:
        log.warning("AppArmor profile %s cannot be loaded: %s", DEFAULT, error.decode("utf-8", "replace").strip())
    return status == 0
