"""Private repositories: their packages are kept from the LAN."""

from __future__ import annotations

import json

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, Depot, Site, small_packages
from tests.e2e.test_defaults import PASSWORD, spooled, start
from tests.e2e.test_discovery import know_each_other

NAMES = small_packages()[:3]


def test_private(make_lab: MakeLab, depot: Depot) -> None:
    """Neither a repository that the user names nor one with a password is known in the LAN: nothing is listed, given, asked for or claimed."""
    passwords = depot.folder().parent / "passwords"
    passwords.write_text(PASSWORD)
    lab = make_lab(hosts=3, sites=(Site(80, depot.signed), Site(8081, depot.signed, f"auth_basic lan; auth_basic_user_file {passwords};")))
    named, secret, public = lab.hosts
    secret.configure(servers=[PACSERVE, MIRROR.replace("http://", "http://lan:secret@").replace("/$repo", ":8081/$repo", 1)])
    daemons = [start(named, "--multicast", "--private", "core", "--misses", "fetch"), *(start(host, "--multicast") for host in (secret, public))]
    know_each_other(lab.hosts, daemons)
    for host in (public, named, secret):
        host.pacman("-Sy", *NAMES)
        assert host.installed() == set(NAMES)
    files = [depot.packages[name].filename for name in NAMES]
    for host in (named, secret):
        info = json.loads(public.request("/info", host.ip).body)
        assert (info["files"], info["generation"]) == ({}, 1)
        assert spooled(host) == set()
        for path in (f"/package/{files[0]}", f"/package/{files[0]}/data", f"/package/{files[0]}.sig", f"/fetch/core/x86_64/{files[0]}"):
            assert public.request(path, host.ip).status == 404
    # Each came from a mirror, though the public host, which was first, has them all.
    assert len(lab.mirror.package_downloads()) == 3 * len(NAMES)
    assert not any(daemons[2].requests(file, "HEAD") for file in files)
    assert set(json.loads(named.request("/info", public.ip).body)["files"]) >= set(files)
    for daemon in daemons:
        daemon.stop()
