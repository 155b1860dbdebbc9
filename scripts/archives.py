#!/usr/bin/env python3
"""Puts the dependencies' source archives into subprojects/packagecache, each checked against the hash in its wrap.

Ways, in order: the cache itself; the folder named by SEALWIRE_PACKAGECACHE (when unset, ../shared/deps if it exists);
Debian's source packages from the mirror that this machine's own apt configuration names. What none of them has is left
to Meson, which downloads it from the upstream address in the wrap and checks the same hash.
"""

import configparser
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / "subprojects" / "packagecache"
# The releases whose source packages hold the versions that the wraps pin.
SUITES = ("trixie", "forky")
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def wanted_archives():
    """(file name, sha256, upstream address) of each archive that a wrap pins."""
    for wrap in sorted((ROOT / "subprojects").glob("*.wrap")):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(wrap)
        section = parser["wrap-file"]
        for kind in ("source", "patch"):
            if f"{kind}_filename" in section:
                yield section[f"{kind}_filename"], section[f"{kind}_hash"], section[f"{kind}_url"]


def refresh_overlays():
    """Meson lays our files over a source once, when it unpacks it; later changes of ours are brought there too.

    Changed patches cannot be: then the source goes, and Meson unpacks it again.
    """
    for wrap in sorted((ROOT / "subprojects").glob("*.wrap")):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(wrap)
        section = parser["wrap-file"]
        unpacked = ROOT / "subprojects" / section["directory"]
        if "patch_directory" not in section or not unpacked.is_dir():
            continue
        overlay = ROOT / "subprojects" / "packagefiles" / section["patch_directory"]
        patches = [overlay.parent / name.strip() for name in section.get("diff_files", "").split(",") if name.strip()]
        if any(has_other(unpacked / patch.name, patch) for patch in patches):
            shutil.rmtree(unpacked)
            print(f"{wrap.stem}: a patch has changed, so it is unpacked again")
            continue
        for source in sorted(path for path in overlay.rglob("*") if path.is_file()):
            target = unpacked / source.relative_to(overlay)
            if has_other(target, source):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                print(f"{wrap.stem}: brought {source.relative_to(overlay)} up to date")


def has_other(target, source):
    """Whether `target` is missing or has another content."""
    return not target.is_file() or target.read_bytes() != source.read_bytes()


def has_hash(path, sha256):
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def take(path, name, sha256):
    """Copies `path` into the cache when its content is the pinned one."""
    if not has_hash(path, sha256):
        return False
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = CACHE / f".{name}.{os.getpid()}"
    shutil.copyfile(path, partial)
    partial.replace(CACHE / name)
    return True


def given_folder():
    named = os.environ.get("SEALWIRE_PACKAGECACHE")
    return pathlib.Path(named) if named else ROOT.parent / "shared" / "deps"


def debian_mirror():
    """The first address of Debian's main archive in the machine's apt sources, or None."""
    addresses = []
    for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if not path.is_file():
            continue
        for line in path.read_text(errors="replace").splitlines():
            one_line = re.match(r"deb(?:-src)?\s+(?:\[[^]]*\]\s+)?(\S+)\s", line)
            stanza = re.match(r"URIs:\s*(.+)", line)
            if one_line:
                addresses.append(one_line.group(1))
            elif stanza:
                addresses.extend(stanza.group(1).split())
    return next((a.rstrip("/") for a in addresses if a.rstrip("/").endswith("/debian")), None)


class AptSource:
    """apt with a configuration of its own: one list, private folders; the machine's own state is left alone."""

    def __init__(self, folder, mirror):
        self.folder = folder
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        signed = f"[signed-by={KEYRING}] " if KEYRING.is_file() else ""
        sources = "".join(f"deb-src {signed}{mirror} {suite} main\n" for suite in SUITES)
        (folder / "sources.list").write_text(sources)
        # A mirror may lag: an index past its date is as good here, since its signature is checked and so is our own hash.
        self.options = ["-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Retries=3",
                        "-o", f"Dir::Etc::sourcelist={folder}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
                        "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        if os.geteuid() == 0:
            self.options += ["-o", "APT::Sandbox::User=root"]
        self.run("apt-get", "update")

    def run(self, program, *arguments, cwd=None):
        command = [program, *self.options, "-q", *arguments]
        return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=600).stdout

    def fetch(self, name, sha256):
        """The mirror's index lists some files that it does not have: each revision is tried, then it is given up."""
        match = re.fullmatch(r"([a-z0-9.+-]+)_([^_-]+)\.orig\.tar\.\w+", name)
        if not match:
            return False
        package, version = match.groups()
        records = self.run("apt-cache", "showsrc", "--only-source", package)
        revisions = [v for v in re.findall(r"(?m)^Version: (\S+)$", records)
                     if v.split(":")[-1].rpartition("-")[0] == version]
        for revision in dict.fromkeys(revisions):
            with tempfile.TemporaryDirectory(dir=self.folder) as out:
                self.run("apt-get", "source", "--download-only", "--tar-only", f"{package}={revision}", cwd=out)
                if any(take(path, name, sha256) for path in pathlib.Path(out).iterdir()):
                    return True
        return False


def main():
    refresh_overlays()
    missing = []
    folder = given_folder()
    for name, sha256, url in wanted_archives():
        if has_hash(CACHE / name, sha256):
            continue
        if take(folder / name, name, sha256):
            print(f"archive {name}: taken from {folder}")
        else:
            missing.append((name, sha256, url))
    if not missing:
        return
    mirror = debian_mirror() if shutil.which("apt-get") else None
    with tempfile.TemporaryDirectory(prefix="sealwire-apt-") as private:
        apt = None
        for name, sha256, url in missing:
            if mirror and apt is None:
                print(f"archives: reading the list of source packages of {mirror} ({', '.join(SUITES)})", flush=True)
                apt = AptSource(pathlib.Path(private), mirror)
            if apt and apt.fetch(name, sha256):
                print(f"archive {name}: taken from Debian's source package, hash checked")
            else:
                print(f"archive {name}: left to Meson, which downloads {url}")


if __name__ == "__main__":
    sys.exit(main())
