"""Real apt asks pacserve, in each of the ways in which it can be configured to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import MakeAptLab
from tests.e2e.lab import sh
from tests.e2e.lab.apt_host import KEYRING, Apt, Form
from tests.e2e.lab.apt_lab import AptLab, assert_good, assert_whole, packages
from tests.e2e.lab.apt_packages import Deb, build_deb, build_source
from tests.e2e.lab.apt_repository import Suite

FORMS = pytest.mark.parametrize("form", [Form.AUTO, Form.PROXY, Form.LOCALHOST], ids=lambda form: form.value)
ODD = build_deb("odd", "4:9.1~a+b-1", architecture="all", file="odd_amd64.deb")


def blobs(apt: Apt) -> dict[str, bytes]:
    """Returns what pacserve has kept on the host of an apt for others, by the labels."""
    return {path.name.partition("@")[0]: path.read_bytes() for path in apt.host.path("/var/cache/pacserve").rglob("*.blob")}


def label(deb: Deb) -> str:
    """Returns the label by which hosts share a package."""
    return f"{deb.package}_{deb.version.rpartition(':')[2]}_{deb.architecture}"


def install(apt: Apt, *debs: Deb) -> None:
    """Updates, and installs packages for the first time: each is the one that the repository has."""
    apt.update()
    assert_good(apt.run("install", *(deb.package for deb in debs)))
    assert apt.installed() == {deb.package: deb.version for deb in debs}


def started(lab: AptLab, form: Form = Form.AUTO, *options: str) -> Apt:
    """Returns the only host, where pacserve has been started and apt uses it."""
    apt = lab.hosts[0]
    apt.use(form)
    apt.sources()
    apt.start(*options)
    return apt


@FORMS
@pytest.mark.parametrize("style", ["line", "deb822"])
def test_from_first_to_last(make_apt_lab: MakeAptLab, form: Form, style: str) -> None:
    """apt updates, installs, upgrades, and fetches archives and sources, and pacserve keeps what it fetched."""
    lab = make_apt_lab()
    apt = lab.hosts[0]
    first, source = packages(4), build_source("lab00")
    lab.debian.publish(Suite("stable", first, (source,)))
    apt.use(form)
    if style == "line":
        apt.sources(apt.line(), apt.line(kind="deb-src"))
    else:
        apt.sources("Types: deb deb-src", f"URIs: {apt.uri()}", "Suites: stable", "Components: main", f"Signed-By: {KEYRING}")
    daemon = apt.start()
    install(apt, *first[:2])
    for deb in first[:2]:
        assert apt.archives()[deb.archive] == deb.content
        assert blobs(apt)[label(deb)] == deb.content
    second = packages(4, "1:2.0~rc1+dfsg-1")
    lab.debian.publish(Suite("stable", second, (source,), revision=1))
    apt.update()
    assert_good(apt.run("upgrade"))
    assert set(apt.installed().values()) == {"1:2.0~rc1+dfsg-1"}
    assert apt.fetched("download", second[3].package) == {second[3].archive: second[3].content}
    assert apt.fetched("source", "--download-only", source.package) == source.files
    daemon.stop()


@pytest.mark.parametrize("program", ["apt-get", "apt"])
def test_dist_upgrade(make_apt_lab: MakeAptLab, program: str) -> None:
    """Fifty packages are upgraded, each is asked of the mirror once, and nothing fails."""
    lab = make_apt_lab()
    apt = started(lab)
    apt.pretend(*packages(50))
    lab.debian.publish(Suite("stable", packages(50, "1.1-1")))
    apt.update()
    assert_good(apt.run("dist-upgrade", "-y", program=program))
    assert apt.installed() == {deb.package: "1.1-1" for deb in packages(50)}
    downloads = [request.name for request in lab.downloads("_1.1-1_amd64.deb") + lab.downloads("_1.1-1_all.deb")]
    assert sorted(downloads) == sorted(deb.file for deb in packages(50, "1.1-1"))


@FORMS
def test_flat(make_apt_lab: MakeAptLab, form: Form) -> None:
    """A flat repository has packages and sources in one folder, whose files are called as they like."""
    lab = make_apt_lab()
    apt = started(lab, form)
    source = build_source("lab00")
    lab.repository("flat").publish(Suite("", (ODD, *packages(2)), (source,), by_hash=False))
    apt.sources(apt.line(apt.uri("flat"), "./"), apt.line(apt.uri("flat"), "./", "deb-src"))
    install(apt, ODD, *packages(2))
    assert apt.archives()[ODD.archive] == ODD.content
    assert blobs(apt)[label(ODD)] == ODD.content
    assert apt.fetched("source", "--download-only", source.package) == source.files


@pytest.mark.parametrize("by_hash", [True, False], ids=["by-hash", "by-name"])
@pytest.mark.parametrize("detached", [True, False], ids=["Release.gpg", "InRelease"])
def test_releases(make_apt_lab: MakeAptLab, *, by_hash: bool, detached: bool) -> None:
    """Releases signed in one file or in two, with and without indexes by their digests, are taken in once."""
    lab = make_apt_lab()
    apt = started(lab)
    for revision in range(3):
        debs = packages(3, f"1.{revision}-1")
        lab.debian.publish(Suite("stable", debs, by_hash=by_hash, detached=detached, revision=revision, translation=True))
        apt.update()
        before = len(lab.downloads("Packages.xz"))
        done = apt.update()
        assert "Hit:" in done.stdout
        assert len(lab.downloads("Packages.xz")) == before
        apt.forget()
        install(apt, *debs)


def test_unversioned_and_odd_names(make_apt_lab: MakeAptLab) -> None:
    """Epochs, tildes and files without a version are installed, and kept under the same label on each host."""
    lab = make_apt_lab()
    apt = started(lab)
    debs = (ODD, build_deb("epo", "3:1.0~rc1+dfsg-1"), build_deb("plus++", "1.0+b1"))
    lab.debian.publish(Suite("stable", debs))
    install(apt, *debs)
    assert {label(deb): deb.content for deb in debs}.items() <= blobs(apt).items()


def test_rebuilt(make_apt_lab: MakeAptLab) -> None:
    """The same name with other bytes is another file: who updates gets the new one, and never a mixture."""
    lab = make_apt_lab()
    apt = started(lab)
    for revision in range(3):
        deb = build_deb("lab00", size=300_000, seed=str(revision))
        lab.debian.publish(Suite("stable", (deb,), revision=revision, by_hash=False))
        apt.forget()
        install(apt, deb)
        assert apt.archives()[deb.archive] == deb.content
    assert len(lab.downloads()) == 3


def test_in_two_suites(make_apt_lab: MakeAptLab) -> None:
    """A package that stands in main and in security is downloaded once, wherever it was asked for first."""
    lab = make_apt_lab()
    apt = lab.hosts[0]
    debs = packages(3)
    lab.debian.publish(Suite("stable", debs))
    lab.repository("debian-security").publish(Suite("stable-security", debs, pool="pool/updates/main"))
    apt.use(Form.AUTO)
    lines = apt.line(apt.uri("debian-security", "security.lab"), "stable-security"), apt.line()
    apt.sources(*lines)
    apt.start()
    for line in lines:
        apt.forget(lists=True)
        apt.sources(line)
        install(apt, *debs)
    assert len(lab.downloads()) == len(debs)


@pytest.mark.parametrize("order", ["lz4", "xz", "gz"])
def test_packed_lists(make_apt_lab: MakeAptLab, order: str) -> None:
    """Lists that apt keeps packed are read as plain ones are: what they state is content, and is kept."""
    lab = make_apt_lab()
    apt = started(lab)
    lab.debian.publish(Suite("stable", packages(3)))
    apt.use(Form.AUTO, 'Acquire::GzipIndexes "true";', f'Acquire::CompressionTypes::Order:: "{order}";')
    install(apt, *packages(3))
    assert not apt.lists("_Packages")
    assert {label(deb) for deb in packages(3)} <= set(blobs(apt))


@pytest.mark.parametrize("diffs", ["yes", "no"])
def test_differences(make_apt_lab: MakeAptLab, diffs: str) -> None:
    """Lists are updated by differences, or by whole indexes where apt is told that there are none."""
    lab = make_apt_lab()
    apt = started(lab, Form.AUTO, "--apt-diffs", diffs)
    apt.use(Form.AUTO, 'Acquire::PDiffs "true";')
    before = Suite("stable", packages(300))
    lab.debian.publish(before)
    apt.update()
    after = Suite("stable", (*packages(300), ODD), revision=1, before=before)
    lab.debian.publish(after)
    assert_good(apt.update())
    assert apt.lists("_Packages")[0].read_bytes() == after.packages("amd64")
    assert len(lab.downloads("2023-11-14-2200.00.gz")) == (1 if diffs == "yes" else 0)


def test_what_no_list_states(make_apt_lab: MakeAptLab) -> None:
    """A file that no list states is passed on from the mirror, and is asked for anew each time."""
    lab = make_apt_lab()
    apt = started(lab)
    lab.debian.publish(Suite("stable", packages(1)))
    lab.debian.write("pool/main/l/lab00/changelog", b"anything", 1_700_000_000)
    apt.update()
    for _ in range(2):
        answer = apt.host.request("http://mirror.lab/debian/pool/main/l/lab00/changelog", port=9988)
        assert (answer.status, answer.body) == (200, b"anything")
    assert len(lab.downloads("changelog")) == 2
    assert "changelog" not in blobs(apt)


@pytest.mark.parametrize("trusted", [True, False])
def test_https(make_apt_lab: MakeAptLab, tmp_path: Path, *, trusted: bool) -> None:
    """A mirror that is asked by https is shared where its URL stands in that of pacserve; one whose certificate nobody vouches for is no mirror."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=mirror.lab"]
    sh([*made, "-addext", "subjectAltName=DNS:mirror.lab", "-keyout", str(key), "-out", str(certificate)])
    lab = make_apt_lab(directives=f"listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};")
    lab.debian.publish(Suite("stable", packages(2)))
    apt = lab.hosts[0]
    apt.use(Form.LOCALHOST, 'Acquire::Retries "0";')
    apt.sources(apt.line("http://localhost:9988/https://mirror.lab/debian"))
    daemon = apt.start(env={"SSL_CERT_FILE": str(certificate)} if trusted else None)
    if trusted:
        install(apt, *packages(2))
        assert {request.port for request in lab.lab.mirror.requests()} == {443}
        assert {label(deb) for deb in packages(2)} <= set(blobs(apt))
    else:
        assert "503" in apt.update(check=False).stderr
        assert not lab.lab.mirror.requests()
    daemon.stop()


def test_list_of_mirrors(make_apt_lab: MakeAptLab) -> None:
    """Where a source has a file of several mirrors, apt asks for one after the other, and none that has gone is in the way."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", packages(3)))
    apt = lab.hosts[0]
    apt.use(Form.PROXY, 'Acquire::Retries "0";')
    (apt.dir / "etc/mirrors.txt").write_text("http://third.lab:82/debian\tpriority:1\nhttp://mirror.lab/debian\tpriority:2\n")
    apt.sources(apt.line("mirror+file:/etc/apt/mirrors.txt"))
    daemon = apt.start()
    assert apt.run("update").returncode == 0
    done = apt.run("install", *(deb.package for deb in packages(3)))
    assert_whole(done)
    assert apt.archives() == {deb.archive: deb.content for deb in packages(3)}
    assert {label(deb) for deb in packages(3)} <= set(blobs(apt))
    daemon.stop()
