#!/bin/bash
# A host ruled by firewalld, in namespaces of its own (mount, network, process ids), on an overlay of this one: what our daemon
# does there, as lines `what: value`. Arguments: the repository, a folder for the overlay, an image's tar, Debian packages.
[ -n "$INSIDE" ] || {
    repository=$1 place=$2 image=$3
    shift 3
    mount -t tmpfs none "$place"
    mkdir "$place/up" "$place/work" "$place/root"
    root=$place/root
    mount -t overlay overlay -o "lowerdir=/,upperdir=$place/up,workdir=$place/work" "$root" || exit 77
    for each in proc sys dev; do mount --rbind /$each "$root/$each"; done
    for each in run tmp; do mount -t tmpfs none "$root/$each"; done
    mkdir -p "$root/run/dbus" "$root/tmp/dw" "$root$repository" # which may be below /tmp
    mount --rbind "$repository" "$root$repository"
    for each; do dpkg-deb --fsys-tarfile "$each" | tar -x --keep-directory-symlink -C "$root"; done
    policy=$root/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1
    [ -e "$policy.policy" ] || ln -s "$(basename "$policy").server.policy.choice" "$policy.policy" # which the package's script would do
    cp "$image" "$root/tmp/image.tar"
    cp "$0" "$root/tmp/script"
    INSIDE=$repository exec chroot "$root" bash /tmp/script
}

cd /tmp || exit 1
set -x
until_true() { # until_true COMMAND...: whether it becomes true within 30 s
    local end=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
dw() { docker -H unix:///tmp/dw/s "$@"; }
lan() { ip netns exec lan "$@"; }
asked() { [ -n "$(lan busybox nc -w 2 10.99.0.1 8080 </dev/null | tee /tmp/said)" ]; }
open() { until_true asked && grep -o '00000000FFFF00000200630A' /tmp/said | head -1; } # 10.99.0.2, of /proc/net/tcp6
way_out() { until_true sh -c "docker -H unix:///tmp/dw/s exec web busybox nc -w 2 10.99.0.2 7000 </dev/null | grep hello" && echo yes; }
zone() { firewall-cmd --get-zone-of-interface="$1" 2>/dev/null; }
trusted() { [ "$(zone "$1")" = trusted ]; }
free() { ! trusted "$1"; }

ip link set lo up
ip netns add lan
ip link add lan0 type veth peer name lan1 netns lan
ip address add 10.99.0.1/24 dev lan0
ip link set lan0 up
lan ip address add 10.99.0.2/24 dev lan1
lan ip link set lan1 up
lan sh -c 'while true; do echo hello | busybox nc -l -p 7000; done' &

dbus-daemon --system --nofork --nopidfile &
until_true test -S /run/dbus/system_bus_socket
firewalld --nofork --nopid &
until_true firewall-cmd --state || exit 77
echo "firewalld: $(firewall-cmd --version)"

code="import sys; sys.path.insert(0, '$INSIDE/src'); from dockwright.daemon.main import main; sys.exit(main())"
flags=(-H unix:///tmp/dw/s --data-root /tmp/dw/d --exec-root /tmp/dw/e --pidfile /tmp/dw/pid --storage-driver vfs)
"$INSIDE/.venv/bin/python" -B -c "$code" "${flags[@]}" --published-ports respect-host >/tmp/log 2>&1 &
daemon=$!
until_true dw version
dw load -q -i /tmp/image.tar >/dev/null
dw network create -o com.docker.network.bridge.name=br-web web >/dev/null
who='while true; do nc -l -p 80 -e sh -c "cat /proc/net/tcp6 | grep :0050"; done'
dw run -d --name web --network web -p 8080:80 busybox sh -c "$who" >/dev/null

echo "zone: $(until_true trusted br-web && zone br-web)"
echo "closed: $(asked && echo no || echo yes)"
firewall-cmd -q --add-port=8080/tcp
echo "open: $(open)"
echo "way out: $(way_out)"
firewall-cmd -q --reload
echo "zone after a reload: $(until_true trusted br-web && zone br-web)"
echo "closed after a reload: $(asked && echo no || echo yes)"
firewall-cmd -q --add-port=8080/tcp
echo "open after a reload: $(open)"
echo "way out after a reload: $(way_out)"
dw rm -f web >/dev/null
dw network rm web >/dev/null
echo "zone after its removal: $(until_true free br-web && echo none)"
kill $daemon
wait $daemon
echo "zone after the daemon: $(free docker0 && echo none)"
grep level=error /tmp/log
exit 0
