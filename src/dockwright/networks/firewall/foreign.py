"""Other firewalls on the host: where one would drop our packets, the needed accepts go to its place (DECISIONS 5).

Our own table has judged every packet into our bridges, but its accept cannot overrule another table's drop. So the
forward hooks of others are read, and where a policy or a last rule drops, two accepts for our bridge are put there:

- iptables (nft or legacy): a chain of ours, jumped to from the head of FORWARD, after DOCKER-USER;
- firewalld: our bridge in its zone `trusted`;
- a plain nftables chain: two rules at its head.

Policies are never touched. Everything is recognised by name or comment, so it can be taken away by a later daemon.
"""

import functools
import logging
import os
from typing import Any

from dockwright.kernel.nftables import Nftables, NftablesError
from dockwright.supervisor import spawner

log = logging.getLogger("dockwright.firewall")

CHAIN = "DOCKWRIGHT"
COMMENT = "dockwright"
LEGACY_TABLES = "/proc/net/ip_tables_names"


async def ensure(nft: Nftables | None, own: str, links: list[str], kind: str = "") -> list[str]:
    """Put the accepts for `links` wherever they are needed and missing; answers what was done, as sentences.

    Args:
        nft: where to read and write the nftables rulesets; None where there is no libnftables.
        own: the name of our own table.
        links: the bridges.
        kind: of the iptables ("nft", "legacy") that have our own rules, and so need no other accepts; "" for none.
    """
    done: list[str] = []
    for chain in _forward_chains(nft) if nft else ():
        if chain["table"].startswith(own):
            continue
        if chain["table"] == "firewalld":
            done += await _firewalld(links) if spawner.find("firewall-cmd") else _unasked()
        elif (chain["family"], chain["table"], chain["name"]) == ("ip", "filter", "FORWARD") and _iptables("nft"):
            done += await _ensure_iptables(_iptables("nft"), links) if kind != "nft" else []
        elif nft and _drops(nft, chain):
            done += _ensure_chain(nft, chain, links)
    if _legacy_in_use() and kind != "legacy":
        done += await _ensure_iptables(_iptables("legacy"), links) if _iptables("legacy") else _unseen()
    for sentence in done:
        log.info("%s", sentence)
    return done


@functools.cache
def _unseen() -> tuple[str, ...]:
    """Said once."""
    log.warning("iptables-legacy is not installed: whether its rules, which this host has, drop our packets cannot be seen")
    return ()


async def remove(nft: Nftables | None, own: str, links: list[str], kind: str = "") -> None:
    """Take every accept of ours away again."""
    for chain in _forward_chains(nft) if nft else ():
        if chain["table"].startswith(own):
            continue
        if chain["table"] == "firewalld":
            await _firewalld(links, remove=True)
        elif (chain["family"], chain["table"], chain["name"]) == ("ip", "filter", "FORWARD") and _iptables("nft"):
            await _remove_iptables(_iptables("nft"))
        elif nft:
            for rule in _own_rules(nft, chain):
                nft.run(f"delete rule {_place(chain)} handle {rule['handle']}")
    if _legacy_in_use() and _iptables("legacy"):
        await _remove_iptables(_iptables("legacy"))


async def forget(nft: Nftables | None, own: str, links: list[str]) -> None:
    """Take away what was put among others' rules for bridges that have gone; iptables' chain is written anew by `ensure`."""
    for chain in _forward_chains(nft) if nft and links else ():
        if chain["table"] == "firewalld":
            await _firewalld(links, remove=True)
        elif nft and not chain["table"].startswith(own):
            for rule in _own_rules(nft, chain):
                if any(_names(rule, link) for link in links):
                    nft.run(f"delete rule {_place(chain)} handle {rule['handle']}")


def _names(rule: dict[str, Any], link: str) -> bool:
    """Whether a rule of ours is about `link`."""
    return any(word.get("match", {}).get("right") == link for word in rule.get("expr", []))


@functools.cache
def _unasked() -> tuple[str, ...]:
    """Said once."""
    log.warning("firewalld rules this host, and firewall-cmd is not installed: it may drop what our bridges forward")
    return ()


async def guards(nft: Nftables | None) -> bool:
    """Whether the host's firewall drops what is sent to the host and it does not know (INPUT): published ports pass it by."""
    if nft and any(_drops(nft, chain) for chain in _base_chains(nft, "input")):
        return True
    program = _iptables("legacy") if _legacy_in_use() else ""
    return bool(program) and "-P INPUT DROP" in await _listing(program)


def _forward_chains(nft: Nftables) -> list[dict[str, Any]]:
    return _base_chains(nft, "forward")


def _base_chains(nft: Nftables, hook: str) -> list[dict[str, Any]]:
    """All base chains of a hook that see IPv4."""
    chains = [item["chain"] for item in nft.query("list chains") if "chain" in item]
    return [c for c in chains if c.get("hook") == hook and c["family"] in ("ip", "inet") and c["type"] == "filter"]


def _place(chain: dict[str, Any]) -> str:
    return f"{chain['family']} {chain['table']} {chain['name']}"


def _rules(nft: Nftables, chain: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return [item["rule"] for item in nft.query(f"list chain {_place(chain)}") if "rule" in item]
    except NftablesError:  # gone meanwhile
        return []


def _own_rules(nft: Nftables, chain: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in _rules(nft, chain) if rule.get("comment") == COMMENT]


def _drops(nft: Nftables, chain: dict[str, Any]) -> bool:
    """Whether a packet nobody knows is dropped or rejected at the end of `chain`."""
    if chain.get("policy") == "drop":
        return True
    rules = [rule for rule in _rules(nft, chain) if rule.get("comment") != COMMENT]
    verdicts = {key for word in (rules[-1].get("expr", []) if rules else []) for key in word}
    return bool(verdicts & {"drop", "reject"}) and not verdicts & {"match", "vmap", "lookup"}


def _ensure_chain(nft: Nftables, chain: dict[str, Any], links: list[str]) -> list[str]:
    """Two accepts per bridge at the head of a native chain, unless they are there."""
    if len(_own_rules(nft, chain)) >= 2 * len(links):
        return []
    for rule in _own_rules(nft, chain):
        nft.run(f"delete rule {_place(chain)} handle {rule['handle']}")
    nft.run(
        "".join(
            f'insert rule {_place(chain)} {side} "{link}" accept comment "{COMMENT}"\n'
            for link in links
            for side in ("iifname", "oifname")
        )
    )
    return [f"nftables chain {_place(chain)} drops what is forwarded: accepts for {', '.join(links)} put at its head"]


def _iptables(kind: str) -> str:
    """The iptables program of a kind ("nft", "legacy"), "" if it is not installed."""
    found = spawner.find(f"iptables-{kind}")
    return found or (spawner.find("iptables") if kind == "nft" else "")


def _legacy_in_use() -> bool:
    """Whether the legacy filter table exists in this network namespace (reading it does not create it)."""
    try:
        with open(LEGACY_TABLES, encoding="ascii") as file:
            return "filter" in file.read().split()
    except FileNotFoundError:
        return False


async def _run(argv: list[str], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """As `spawner.run`; a program that has gone, or waits for somebody's lock too long, has failed."""
    try:
        return await spawner.run(argv, stdin)
    except OSError as error:
        return 127, b"", (error.strerror or str(error)).encode()  # TimeoutError too


async def _listing(program: str) -> list[str]:
    status, out, error = await _run([program, "-w", "-S"])
    if status:
        log.warning("%s -S: %s", os.path.basename(program), error.decode(errors="replace").strip())
        return []
    return out.decode(errors="replace").splitlines()


def wanted_rules(links: list[str]) -> list[str]:
    """Our chain's rules as `iptables -S` prints them."""
    return [f"-A {CHAIN} {side} {link} -j ACCEPT" for link in links for side in ("-i", "-o")]


def blocks(listing: list[str]) -> bool:
    """Whether FORWARD drops packets nobody knows: by policy, or by a last rule without any condition."""
    if "-P FORWARD DROP" in listing:
        return True
    rules = [line for line in listing if line.startswith("-A FORWARD ")]
    return bool(rules) and rules[-1].startswith(("-A FORWARD -j DROP", "-A FORWARD -j REJECT"))


def position(listing: list[str]) -> int:
    """Where our jump belongs in FORWARD: at its head, after the jump to DOCKER-USER (counted from 1)."""
    rules = [line for line in listing if line.startswith("-A FORWARD ")]
    return rules.index("-A FORWARD -j DOCKER-USER") + 2 if "-A FORWARD -j DOCKER-USER" in rules else 1


def in_place(listing: list[str], links: list[str]) -> bool:
    """Whether our chain, its rules and the jump at its head are as they should be."""
    rules = [line for line in listing if line.startswith("-A FORWARD ")]
    jump = f"-A FORWARD -j {CHAIN}"
    if jump not in rules or [line for line in listing if line.startswith(f"-A {CHAIN} ")] != wanted_rules(links):
        return False
    return rules.index(jump) == position([line for line in listing if line != jump]) - 1


def restore_text(listing: list[str], links: list[str]) -> str:
    """The one transaction (iptables-restore --noflush) that puts our chain and its jump in place."""
    jump = f"-A FORWARD -j {CHAIN}"
    others = [line for line in listing if line != jump]
    lines = ["*filter", f":{CHAIN} - [0:0]", *wanted_rules(links)]
    lines += [f"-D FORWARD -j {CHAIN}"] * listing.count(jump)
    lines += [f"-I FORWARD {position(others)} -j {CHAIN}", "COMMIT", ""]
    return "\n".join(lines)


async def _ensure_iptables(program: str, links: list[str]) -> list[str]:
    listing = await _listing(program)
    if not blocks(listing) or in_place(listing, links):
        return []
    restore = (
        program.replace("iptables", "iptables-restore")
        if "-" not in os.path.basename(program)
        else (f"{program}-restore")
    )
    status, _, error = await _run([restore, "-w", "--noflush"], restore_text(listing, links).encode())
    if status:
        log.warning("%s: %s", os.path.basename(restore), error.decode(errors="replace").strip())
        return []
    return [f"iptables drops what is forwarded: chain {CHAIN} accepts {', '.join(links)} at the head of FORWARD"]


async def _remove_iptables(program: str) -> None:
    listing = await _listing(program)
    for _ in range(listing.count(f"-A FORWARD -j {CHAIN}")):
        await _run([program, "-w", "-D", "FORWARD", "-j", CHAIN])
    if f"-N {CHAIN}" in listing:
        await _run([program, "-w", "-F", CHAIN])
        await _run([program, "-w", "-X", CHAIN])


async def _firewalld(links: list[str], remove: bool = False) -> list[str]:
    """Put our bridges into firewalld's zone `trusted` (its run time only: a reload drops it, and we are told)."""
    program = spawner.find("firewall-cmd")
    if not program:
        return []
    done = []
    for link in links:
        status, out, _ = await _run([program, f"--get-zone-of-interface={link}"])
        there = status == 0 and out.strip() == b"trusted"
        if there == remove:
            verb = "--remove-interface" if remove else "--change-interface"
            status, _, error = await _run([program, "--zone=trusted", f"{verb}={link}"])
            if status:
                log.warning("firewalld: %s: %s", link, error.decode(errors="replace").strip())
                continue
            done.append(f"firewalld: {link} {'taken from' if remove else 'put into'} zone trusted")
    return done
